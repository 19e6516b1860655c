#include "ops/activation.h"

#include <algorithm>

#include "core/simd.h"
#include "ops/vector_math.h"

namespace deltascope {
namespace {

DELTASCOPE_SIMD void silu_gate_here(float* gate, const float* up, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

}  // namespace

void silu_gate(float* gate, const float* up, int64_t count) {
  constexpr int64_t kPiece = 1 << 14;
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < count; begin += kPiece)
    silu_gate_here(gate + begin, up + begin, std::min(kPiece, count - begin));
}

}  // namespace deltascope
