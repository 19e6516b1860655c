#pragma once

#include <cstdint>

namespace deltascope {

/// Centres and scales rows, then scales and shifts by gamma and beta.
///   y[i, j] = (x[i, j] − mean_k x[i, k]) / sqrt(variance_k x[i, k] + eps) · gamma[j] + beta[j]
/// x: [rows, width] float32, row stride `x_stride`. gamma, beta: [width] float32. y: [rows, width], row stride `y_stride`;
/// may be x. Mean and variance (of the row, not its estimate) are summed in float64. Source: Ba et al. 2016, arXiv
/// 1607.06450.
void layer_norm(const float* x, int64_t x_stride, const float* gamma, const float* beta, float eps, float* y,
                int64_t y_stride, int64_t rows, int64_t width);

}  // namespace deltascope
