#include "ops/elementwise.h"

#include "core/team.h"

namespace deltascope {

void add(float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t rows, int64_t width) {
  parallel_for(rows, [=](int64_t i) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) x[i * x_stride + j] += y[i * y_stride + j];
  });
}

void add_bias(float* x, int64_t x_stride, const float* bias, int64_t rows, int64_t width) {
  add(x, x_stride, bias, 0, rows, width);
}

void add_scaled(float* x, int64_t x_stride, const float* y, int64_t y_stride, float scale, int64_t rows,
                int64_t width) {
  parallel_for(rows, [=](int64_t i) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) x[i * x_stride + j] += scale * y[i * y_stride + j];
  });
}

}  // namespace deltascope
