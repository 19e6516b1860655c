#include "ops/rms_norm.h"

#include <cmath>

#include "core/simd.h"
#include "core/team.h"

namespace deltascope {
namespace {

DELTASCOPE_SIMD void norm_row(const float* x, const float* gamma, float eps, float* y, int64_t width) {
  double squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < width; ++j) squares += static_cast<double>(x[j]) * x[j];
  const float scale =
      static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(eps)));
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) y[j] = x[j] * scale * gamma[j];
}

}  // namespace

void rms_norm(const float* x, int64_t x_stride, const float* gamma, float eps, float* y, int64_t y_stride,
              int64_t rows, int64_t width) {
  parallel_for(rows, [=](int64_t i) { norm_row(x + i * x_stride, gamma, eps, y + i * y_stride, width); });
}

}  // namespace deltascope
