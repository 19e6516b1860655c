// Built instead of matmul_onednn.cpp when DELTASCOPE_ONEDNN is off.
#include "ops/matmul.h"

namespace deltascope {

void matmul(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride, int64_t rows,
            int64_t in, int64_t out) {
  matmul_reference(x, x_stride, w, y, y_stride, rows, in, out);
}

const char* matmul_backend() { return "reference"; }

}  // namespace deltascope
