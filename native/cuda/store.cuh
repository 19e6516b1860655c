#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace deltascope::cuda {

/// Writes a value as it is, or rounded to bfloat16 to nearest, ties to even.
__device__ inline void store(float* to, float value) { *to = value; }
__device__ inline void store(uint16_t* to, float value) { *to = f32_to_bf16(value); }

}  // namespace deltascope::cuda
