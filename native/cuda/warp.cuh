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

/// The sums over a warp of kCount values, a power of two up to half a warp: that of values[lane % kCount], in each lane. Lanes send
/// each other halves of what they have left. For whole numbers.
template <int kCount, typename T>
__device__ inline T warp_sums(T (&values)[kCount]) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int half = kCount / 2; half > 0; half /= 2) {
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const bool upper = (lane & half) != 0;
      const T kept = upper ? values[i + half] : values[i], sent = upper ? values[i] : values[i + half];
      values[i] = kept + __shfl_xor_sync(kAllLanes, sent, half);
    }
  }
  T sum = values[0];
  for (int lanes = kCount; lanes < kWarp; lanes *= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
  return sum;
}

__device__ inline float warp_max(float value) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, lanes));
  return value;
}

}  // namespace deltascope::cuda
