#pragma once

#include <cstdint>
#include <span>

#include "core/dtype.h"

namespace deltascope {

/// Widens `count` float32, float16 or bfloat16 values to float32, exactly. `source` may be unaligned. Runs on
/// all threads.
void convert_to_f32(std::span<const uint8_t> source, DType dtype, float* out, int64_t count);

/// What a tensor holds that is not a number: counted, never hidden.
int64_t count_not_finite(const float* values, int64_t count);

}  // namespace deltascope
