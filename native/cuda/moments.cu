// Sums over a pair's residual streams. Those of values are whole numbers (core/exact_sum.h), so every order gives the bits of the
// host; those of norms are float64 in a fixed order. A thread has one dimension of one position, and walks over its
// entries; bound by that walk, which reads entries · width · 8 bytes for each part of the swaps.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/warp.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 128;
constexpr int kSwapPart = 8;  // swaps that a thread sums at once

/// A value as Moments takes it.
__device__ inline float taken(float value, bool compat) { return compat ? deltascope::round_to_bf16(value) : value; }

__device__ inline int128 units_of_diff(float b, float f, bool compat) {
  return compat ? FixedSum::to_units(deltascope::round_to_bf16(f - b)) : FixedSum::to_units(f) - FixedSum::to_units(b);
}

/// blockIdx.z 0: the sums without swaps; z: those of the swaps kSwapPart · (z − 1) ….
__global__ void __launch_bounds__(kBlock) pair_sums_kernel(PairJob job, int128* sums, int64_t* spoiled) {
  const int64_t j = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x, position = blockIdx.y;
  if (j >= job.width) return;
  const int64_t end = job.first[position + 1];
  int128* out = sums + position * (kPairSums + job.swaps) * job.width + j;
  if (blockIdx.z == 0) {
    int128 sum[kPairSums] = {};
    int64_t unfit = 0;
    for (int64_t e = job.first[position]; e < end; ++e) {
      const int64_t at = job.node[e] * job.width + j;
      const float b = taken(job.base[at], job.compat), f = taken(job.finetuned[at], job.compat);
      if (!FixedSum::fits(b) || !FixedSum::fits(f)) {
        unfit += ((FixedSum::fits(b) ? 0 : 1) + (FixedSum::fits(f) ? 0 : 1)) * job.count[e];
        continue;
      }
      const int128 units = FixedSum::to_units(b), diff = units_of_diff(b, f, job.compat);
      sum[0] += units * job.count[e];
      sum[1] += FixedSum::to_units(f) * job.count[e];
      sum[2] += diff * job.count[e];
      sum[3] += diff * job.even[e];
      sum[4] += units * job.even[e];
    }
    for (int i = 0; i < kPairSums; ++i) out[i * job.width] = sum[i];
    spoiled[position * job.width + j] = unfit;
    return;
  }
  const int64_t swap = static_cast<int64_t>(blockIdx.z - 1) * kSwapPart;
  int128 sum[kSwapPart] = {};
  for (int64_t e = job.first[position]; e < end; ++e) {
    const int64_t at = job.node[e] * job.width + j;
    const float b = taken(job.base[at], job.compat), f = taken(job.finetuned[at], job.compat);
    if (!FixedSum::fits(b) || !FixedSum::fits(f)) continue;
    const int128 diff = units_of_diff(b, f, job.compat);
#pragma unroll
    for (int s = 0; s < kSwapPart; ++s) {
      if (swap + s < job.swaps) sum[s] += diff * job.signs[e * job.swaps + swap + s];
    }
  }
#pragma unroll
  for (int s = 0; s < kSwapPart; ++s) {
    if (swap + s < job.swaps) out[(kPairSums + swap + s) * job.width] = sum[s];
  }
}

/// A warp for each entry.
__global__ void __launch_bounds__(kBlock) pair_norms_kernel(PairJob job, double* norms) {
  const int64_t e = (static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x) / kWarp;
  const int lane = threadIdx.x % kWarp;
  if (e >= job.entries) return;
  double base = 0, finetuned = 0, apart = 0;
  for (int64_t j = lane; j < job.width; j += kWarp) {
    const int64_t at = job.node[e] * job.width + j;
    const float b = taken(job.base[at], job.compat), f = taken(job.finetuned[at], job.compat);
    const double difference = job.compat ? static_cast<double>(deltascope::round_to_bf16(b - f)) : static_cast<double>(b) - f;
    base += static_cast<double>(b) * b;
    finetuned += static_cast<double>(f) * f;
    apart += difference * difference;
  }
  base = warp_sum(base), finetuned = warp_sum(finetuned), apart = warp_sum(apart);
  if (lane != 0) return;
  norms[3 * e] = sqrt(base);
  norms[3 * e + 1] = sqrt(finetuned);
  norms[3 * e + 2] = apart;
}

}  // namespace

// ---- launchers ----

void pair_sums(const PairJob& job, int128* sums, int64_t* spoiled, cudaStream_t stream) {
  constexpr int64_t kMostPositions = 65535;  // of a grid
  for (int64_t from = 0; from < job.positions; from += kMostPositions) {
    const int64_t here = job.positions - from < kMostPositions ? job.positions - from : kMostPositions;
    PairJob part = job;
    part.first += from;
    const dim3 grid(blocks_for(job.width, kBlock), static_cast<unsigned int>(here), 1 + blocks_for(job.swaps, kSwapPart));
    launch(pair_sums_kernel, grid, kBlock, stream, part, sums + from * (kPairSums + job.swaps) * job.width,
           spoiled + from * job.width);
  }
}

void pair_norms(const PairJob& job, double* norms, cudaStream_t stream) {
  if (job.entries == 0) return;
  launch(pair_norms_kernel, blocks_for(job.entries, kBlock / kWarp), kBlock, stream, job, norms);
}

}  // namespace deltascope::cuda
