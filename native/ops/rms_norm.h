#pragma once

#include <cstdint>

namespace deltascope {

/// RMS-normalises rows, then scales by gamma.
///   y[i, j] = x[i, j] / sqrt(mean_k x[i, k]² + eps) · gamma[j]
/// x: [rows, width] float32, row stride `x_stride`. gamma: [width] float32. y: [rows, width], row stride
/// `y_stride`; may be x. Squares are summed in float64. Source: Zhang and Sennrich 2019, arXiv 1910.07467.
void rms_norm(const float* x, int64_t x_stride, const float* gamma, float eps, float* y, int64_t y_stride,
              int64_t rows, int64_t width);

}  // namespace deltascope
