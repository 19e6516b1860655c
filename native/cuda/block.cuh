#pragma once

#include "cuda/warp.cuh"

namespace deltascope::cuda {

/// All values of a block's kThreads threads combined, in each of them, in a fixed order. All threads take part.
template <int kThreads, typename T, typename Combine>
__device__ T block_combine(T value, Combine combine) {
  __shared__ T parts[kThreads / kWarp];
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = combine(value, __shfl_xor_sync(kAllLanes, value, lanes));
  __syncthreads();  // the last call's parts have been read
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = parts[0];
  for (int i = 1; i < kThreads / kWarp; ++i) value = combine(value, parts[i]);
  return value;
}

template <int kThreads, typename T>
__device__ T block_sum(T value) {
  return block_combine<kThreads>(value, [](T a, T b) { return a + b; });
}

/// How much the threads before this one have, and all together: sums of whole numbers. All threads take part.
template <int kThreads, typename T>
__device__ T sum_before(T own, T& all) {
  __shared__ T parts[kThreads / kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  T sum = own;  // of the lanes up to this one
  for (int lanes = 1; lanes < kWarp; lanes *= 2) {
    const T other = __shfl_sync(kAllLanes, sum, lane < lanes ? lane : lane - lanes);
    if (lane >= lanes) sum += other;
  }
  __syncthreads();  // the last call's parts have been read
  if (lane == kWarp - 1) parts[warp] = sum;
  __syncthreads();
  T before = sum - own;
  all = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) {
    if (i < warp) before += parts[i];
    all += parts[i];
  }
  return before;
}

}  // namespace deltascope::cuda
