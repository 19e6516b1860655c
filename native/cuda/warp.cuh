#pragma once

#include <cuda_runtime.h>

namespace deltascope::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned int kAllLanes = 0xffffffffu;

/// The sum over a warp, in every lane, in a fixed order.
template <typename T>
__device__ inline T warp_sum(T value) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  return value;
}

__device__ inline float warp_max(float value) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, lanes));
  return value;
}

}  // namespace deltascope::cuda
