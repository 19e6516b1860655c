#include "ops/layer_norm.h"

#include <cmath>

#include "core/simd.h"
#include "core/team.h"

namespace deltascope {
namespace {

DELTASCOPE_SIMD void norm_row(const float* x, const float* gamma, const float* beta, float eps, float* y,
                              int64_t width) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < width; ++j) sum += static_cast<double>(x[j]);
  const double mean = sum / static_cast<double>(width);
  double squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < width; ++j) squares += (x[j] - mean) * (x[j] - mean);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(eps));
#pragma omp simd
  for (int64_t j = 0; j < width; ++j) y[j] = static_cast<float>((x[j] - mean) * scale) * gamma[j] + beta[j];
}

}  // namespace

void layer_norm(const float* x, int64_t x_stride, const float* gamma, const float* beta, float eps, float* y,
                int64_t y_stride, int64_t rows, int64_t width) {
  parallel_for(rows, [=](int64_t i) { norm_row(x + i * x_stride, gamma, beta, eps, y + i * y_stride, width); });
}

}  // namespace deltascope
