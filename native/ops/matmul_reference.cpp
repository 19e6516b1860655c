#include "ops/matmul.h"

namespace deltascope {

void matmul_reference(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride,
                      int64_t rows, int64_t in, int64_t out) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < out; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < in; ++k) sum += static_cast<double>(x[i * x_stride + k]) * w[j * in + k];
      y[i * y_stride + j] = static_cast<float>(sum);
    }
  }
}

}  // namespace deltascope
