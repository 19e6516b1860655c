#pragma once

#include <cstdint>

namespace deltascope {

/// silu(gate) · up, into gate: silu(z) = z / (1 + e^−z). Both [count] float32; may not overlap.
/// Source: Shazeer 2020, arXiv 2002.05202 (SwiGLU).
void silu_gate(float* gate, const float* up, int64_t count);

/// gelu(gate) · up, into gate, with gelu(z) = z / 2 · (1 + tanh(√(2/π) · (z + 0.044715 z³))).
/// Source: Hendrycks and Gimpel 2016, arXiv 1606.08415 (the tanh form).
void gelu_tanh_gate(float* gate, const float* up, int64_t count);

/// The same function without a gate, in place.
void gelu_tanh(float* x, int64_t count);

/// x ← cap · tanh(x / cap). Source: Gemma 2, arXiv 2408.00118, §2.
void soft_cap(float* x, int64_t count, float cap);

}  // namespace deltascope
