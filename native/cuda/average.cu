// Means of next-token probabilities over prompts. Bound by reads: lists · prompts · width · 4 bytes.
#include "core/dtype.h"
#include "cuda/launch.h"
#include "cuda/logit_kernels.h"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;

/// blockIdx.x: the list. The float32 sums are in the order of prompts.
__global__ void __launch_bounds__(kBlock) add_probabilities_kernel(AverageJob job) {
  const int64_t list = blockIdx.x, id = static_cast<int64_t>(blockIdx.y) * kBlock + threadIdx.x;
  if (id >= job.width) return;
  float sum = 0;
  for (int64_t row = list * job.prompts; row < (list + 1) * job.prompts; ++row) {
    const auto p = static_cast<float>(exp(static_cast<double>(job.logits[row * job.width + id]) - job.sums[row].total));
    sum += job.compat ? deltascope::round_to_bf16(p) : p;
  }
  const bool taken = job.members == nullptr || job.members[list * job.width + id] == job.prompts;
  job.out[list * job.width + id] = taken && sum > 0 ? sum : NAN;
}

/// A block for each list, so that no two threads add to one count: the ids of one prompt differ.
__global__ void __launch_bounds__(kBlock) count_members_kernel(const RankedId* ids /* [lists, prompts, most] */,
                                                               const int32_t* counts, int64_t prompts, int64_t most, int64_t width,
                                                               int32_t* members /* [lists, width] */) {
  const int64_t list = blockIdx.x;
  members += list * width;
  for (int64_t id = threadIdx.x; id < width; id += kBlock) members[id] = 0;
  for (int64_t row = list * prompts; row < (list + 1) * prompts; ++row) {
    __syncthreads();  // what the last prompt's threads have counted
    for (int64_t i = threadIdx.x; i < counts[row]; i += kBlock) members[ids[row * most + i].id] += 1;
  }
}

}  // namespace

// ---- launchers ----

void add_probabilities(const AverageJob& job, cudaStream_t stream) {
  if (job.lists == 0) return;
  launch(add_probabilities_kernel, dim3(static_cast<unsigned int>(job.lists), blocks_for(job.width, kBlock)), kBlock, stream, job);
}

void count_members(const RankedId* ids, const int32_t* counts, int64_t lists, int64_t prompts, int64_t most, int64_t width,
                   int32_t* members, cudaStream_t stream) {
  if (lists == 0) return;
  launch(count_members_kernel, blocks_for(lists, 1), kBlock, stream, ids, counts, prompts, most, width, members);
}

}  // namespace deltascope::cuda
