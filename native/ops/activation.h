#pragma once

#include <cstdint>

namespace deltascope {

/// silu(gate) · up, into gate: silu(z) = z / (1 + e^−z). Both [count] float32; may not overlap.
/// Source: Shazeer 2020, arXiv 2002.05202 (SwiGLU).
void silu_gate(float* gate, const float* up, int64_t count);

}  // namespace deltascope
