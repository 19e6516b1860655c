// Built instead of matmul_onednn.cpp when DELTASCOPE_ONEDNN is off.
#include "ops/matmul.h"

namespace deltascope {

bool has_bfloat16_product() { return false; }

void matmul(const float* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows,
            const Job& job) {
  const bool rounds = w.precision() == Precision::bfloat16;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    for (int64_t j = 0; j < w.out(); ++j) {
      const int64_t panel = j / w.kPanel, width = w.width(panel), column = j % w.kPanel;
      double sum = 0;
      for (int64_t k = 0; k < w.in(); ++k) {
        const int64_t at = k * width + column;
        const float value = x[i * x_stride + k];
        sum += static_cast<double>(rounds ? bf16_to_f32(f32_to_bf16(value)) : value) * w.panel_f32(panel)[at];
      }
      y[i * y_stride + j] = static_cast<float>(sum);
    }
  }
  job.throw_if_cancelled();
}

const char* matmul_backend() { return "reference"; }

}  // namespace deltascope
