#pragma once

#include <cstdint>
#include <span>

#include "core/dtype.h"

namespace deltascope {

/// Widens `count` float32, float16 or bfloat16 values to float32, exactly. `source` may be unaligned. Runs on
/// all threads.
void convert_to_f32(std::span<const uint8_t> source, DType dtype, float* out, int64_t count);

/// Rows of `width` float32 values, row stride `stride`, rounded to dense bfloat16 (to nearest, ties to even; NaN stays
/// NaN). Runs on all threads.
void round_to_bf16(const float* x, int64_t stride, uint16_t* out, int64_t rows, int64_t width);
/// The same, kept as float32.
void round_to_bf16(const float* x, int64_t stride, float* out, int64_t rows, int64_t width);

/// What a tensor holds that is not a number: counted, never hidden.
int64_t count_not_finite(const float* values, int64_t count);
/// The same of a few stored values, on this thread; they may be unaligned.
int64_t count_not_finite(const uint8_t* values, DType dtype, int64_t count);

}  // namespace deltascope
