#include <dnnl.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/errors.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

// oneDNN's float32 product is not row-invariant by itself: on AVX2 the last rows of a block go through
// another kernel, and how it cuts the inner dimension depends on the number of rows (measured with 2.6.3:
// 1,024 × 3,072, rows 1 and 2,048 differ in 91 % of the values). Every call made here therefore has exactly
// the same shape for a given weight: kRows rows (the last block is padded with zeros), a fixed cut of the
// columns, one thread. Threads share out blocks. 384 is a multiple of all row tiles of its AVX2 and AVX-512
// kernels; 384 × 1,024 blocks ran at the speed of one big call (about 130 GFLOP/s on 2 cores with AVX2).
constexpr int64_t kRows = 384;
constexpr int64_t kColumns = 1024;

bool block(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride, int64_t in,
           int64_t columns) {
  return dnnl_sgemm('N', 'T', kRows, columns, in, 1.0f, x, x_stride, w, in, 0.0f, y, y_stride) ==
         dnnl_success;
}

/// Fewer rows than a block has: copied into one padded with zeros, and the result copied out.
bool padded_block(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride, int64_t rows,
                  int64_t in, int64_t columns) {
  thread_local std::vector<float> x_block, y_block;
  x_block.assign(static_cast<size_t>(kRows * in), 0.0f);
  y_block.resize(static_cast<size_t>(kRows * columns));
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(&x_block[static_cast<size_t>(i * in)], x + i * x_stride,
                static_cast<size_t>(in) * sizeof(float));
  const bool ok = block(x_block.data(), in, w, y_block.data(), columns, in, columns);
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(y + i * y_stride, &y_block[static_cast<size_t>(i * columns)],
                static_cast<size_t>(columns) * sizeof(float));
  return ok;
}

}  // namespace

void matmul(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride, int64_t rows,
            int64_t in, int64_t out) {
  const int64_t row_blocks = (rows + kRows - 1) / kRows, column_blocks = (out + kColumns - 1) / kColumns;
  bool ok = true;
#pragma omp parallel for schedule(dynamic) reduction(&& : ok)
  for (int64_t task = 0; task < row_blocks * column_blocks; ++task) {
    const int64_t row = task % row_blocks * kRows, column = task / row_blocks * kColumns;
    const int64_t here = std::min(kRows, rows - row), columns = std::min(kColumns, out - column);
    const float *x_at = x + row * x_stride, *w_at = w + column * in;
    float* y_at = y + row * y_stride + column;
    ok = ok && (here == kRows ? block(x_at, x_stride, w_at, y_at, y_stride, in, columns)
                              : padded_block(x_at, x_stride, w_at, y_at, y_stride, here, in, columns));
  }
  if (!ok)
    throw Error(Code::out_of_memory,
                "[matmul] oneDNN failed; it reports only that it lacked memory or support");
}

const char* matmul_backend() {
  static const std::string text = [] {
    const dnnl_version_t* version = dnnl_version();
    return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
  }();
  return text.c_str();
}

}  // namespace deltascope
