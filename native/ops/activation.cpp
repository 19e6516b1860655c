#include "ops/activation.h"

#include <algorithm>
#include <cmath>

#include "core/simd.h"
#include "core/team.h"
#include "ops/vector_math.h"

namespace deltascope {
namespace {

constexpr int64_t kPiece = 1 << 14;

DELTASCOPE_SIMD void silu_gate_here(float* gate, const float* up, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

// ½ (1 + tanh y) = 1 / (1 + e^(−2y))
inline float gelu_tanh_of(float z) {
  const float y = 0.797884561f * (z + 0.044715f * z * z * z);
  return z / (1.0f + fast_exp(-2.0f * y));
}

DELTASCOPE_SIMD void gelu_tanh_gate_here(float* gate, const float* up, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) gate[i] = gelu_tanh_of(gate[i]) * up[i];
}

DELTASCOPE_SIMD void gelu_tanh_here(float* x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) x[i] = gelu_tanh_of(x[i]);
}

}  // namespace

void silu_gate(float* gate, const float* up, int64_t count) {
#pragma omp parallel for schedule(static) if (count > kPiece)
  for (int64_t begin = 0; begin < count; begin += kPiece)
    silu_gate_here(gate + begin, up + begin, std::min(kPiece, count - begin));
}

void gelu_tanh_gate(float* gate, const float* up, int64_t count) {
  parallel_ranges(count, kPiece, [=](int64_t begin, int64_t end) {
    gelu_tanh_gate_here(gate + begin, up + begin, end - begin);
  });
}

void gelu_tanh(float* x, int64_t count) {
#pragma omp parallel for schedule(static) if (count > kPiece)
  for (int64_t begin = 0; begin < count; begin += kPiece)
    gelu_tanh_here(x + begin, std::min(kPiece, count - begin));
}

void soft_cap(float* x, int64_t count, float cap) {
  parallel_for(count, [=](int64_t i) { x[i] = cap * std::tanh(x[i] / cap); });
}

}  // namespace deltascope
