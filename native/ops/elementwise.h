#pragma once

#include <cstdint>

namespace deltascope {

/// x += y over [rows, width] float32 with row strides.
void add(float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t rows, int64_t width);

/// x += bias, the same [width] float32 for every row.
void add_bias(float* x, int64_t x_stride, const float* bias, int64_t rows, int64_t width);

/// x += scale · y over [rows, width] float32 with row strides.
void add_scaled(float* x, int64_t x_stride, const float* y, int64_t y_stride, float scale, int64_t rows,
                int64_t width);

}  // namespace deltascope
