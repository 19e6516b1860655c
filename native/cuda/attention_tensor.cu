// Attention of long texts by tensor cores, where products are bfloat16: strips of up to 64 rows, a warp for each 16 of them, over
// 32 ancestors at a time, with a running softmax in float32 (Dao 2023, arXiv 2307.08691). Queries, keys, values and weights are
// rounded to bfloat16, sums are float32; a row's weights are divided by the sum of what they were rounded to. Tiles are cut and
// rows kept apart as in attention.cu, which this is judged by. Bound by operations: rows · ancestors · head_dim · 4.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/tensor.cuh"
#include "cuda/warp.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kWarps = 4, kWarpRows = 16, kKeys = 32;
static_assert(kWarps * kWarpRows == kTensorRows);
constexpr int kBlock = kWarps * kWarp;

__device__ inline bool is_finite(float value) { return value - value == 0; }

/// kDims: a multiple of 16 that covers a head.
template <int kDims>
__global__ void __launch_bounds__(kBlock) tensor_attention_kernel(AttentionJob job) {
  constexpr int kSteps = kDims / 16, kColumns = kDims / 8;
  // Pairs of bfloat16; rows are so long that the lanes of a warp, which read eight of them at once, meet in no bank.
  __shared__ uint32_t keys[kKeys][kDims / 2 + 4];      // [key][pair of dimensions]
  __shared__ uint32_t values[kDims][kKeys / 2 + 4];    // [dimension][pair of keys]
  __shared__ uint32_t spoiled_parts[kWarps];           // a bit for each key whose values are not all finite

  const Strip strip = job.long_strips[blockIdx.x];
  const int64_t head = blockIdx.y, head_dim = job.head_dim;
  const int64_t kv_stride = job.kv_heads * head_dim, kv_head = head / (job.heads / job.kv_heads) * head_dim;
  const int64_t row_stride = job.heads * head_dim, at = (strip.row - job.first) * row_stride + head * head_dim;
  const int thread = threadIdx.x, warp = thread / kWarp, lane = thread % kWarp, group = lane / 4, pair = lane % 4 * 2;
  const int32_t* path = job.path + strip.offset;
  const int64_t last = strip.depth + strip.rows - 1;
  const int row_of[2] = {warp * kWarpRows + group, warp * kWarpRows + group + 8};  // of a lane, in the strip

  uint32_t queries[kSteps][4];
  for (int step = 0; step < kSteps; ++step) {
    for (int i = 0; i < 4; ++i) {
      const int row = row_of[i % 2], j = step * 16 + i / 2 * 8 + pair;
      const float* q = job.q + at + row * row_stride + j;
      const bool there = row < strip.rows;
      queries[step][i] = pack_bf16(there && j < head_dim ? q[0] : 0.0f, there && j + 1 < head_dim ? q[1] : 0.0f);
    }
  }
  float highest[2] = {-INFINITY, -INFINITY}, sum[2] = {}, result[kColumns][4] = {};  // sum: of this lane's keys
  const int64_t seen = job.window > 0 && strip.depth >= job.window ? strip.depth - job.window + 1 : 0;  // by the first row
  for (int64_t first = seen / kKeys * kKeys; first <= last; first += kKeys) {
    __syncthreads();  // the last tile has been read
    for (int i = thread; i < kKeys * kDims / 2; i += kBlock) {
      const int key = i / (kDims / 2), j = i % (kDims / 2) * 2;
      float two[2] = {};
      if (first + key <= last) {
        const float* k = job.k + path[first + key] * kv_stride + kv_head + j;
        if (j < head_dim) two[0] = k[0];
        if (j + 1 < head_dim) two[1] = k[1];
      }
      keys[key][j / 2] = pack_bf16(two[0], two[1]);
    }
    // A value that is not finite must not reach the rows that do not see its key, whose weight is 0: it is put aside.
    uint32_t spoiled = 0;
    for (int i = thread; i < kKeys / 2 * kDims; i += kBlock) {
      const int key = i / kDims * 2, j = i % kDims;
      float two[2] = {};
      for (int n = 0; n < 2; ++n) {
        if (first + key + n > last || j >= head_dim) continue;
        two[n] = job.v[path[first + key + n] * kv_stride + kv_head + j];
        if (is_finite(two[n])) continue;
        spoiled |= 1u << (key + n);
        two[n] = 0;
      }
      values[j][key / 2] = pack_bf16(two[0], two[1]);
    }
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) spoiled |= __shfl_xor_sync(kAllLanes, spoiled, lanes);
    if (lane == 0) spoiled_parts[warp] = spoiled;
    __syncthreads();
    spoiled = spoiled_parts[0] | spoiled_parts[1] | spoiled_parts[2] | spoiled_parts[3];
    if (first > strip.depth + warp * kWarpRows + kWarpRows - 1) continue;  // no row of this warp sees any of it

    float score[kKeys / 8][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n) {
        const uint32_t* key = &keys[n * 8 + group][step * 8 + pair / 2];
        add_product(score[n], queries[step], key[0], key[4]);
      }
    }
    // score[n][i] is of row_of[i / 2] and this key of the tile.
    const auto key_of_score = [&](int n, int i) { return n * 8 + pair + i % 2; };
    const auto is_visible = [&](int row, int key) {
      const int64_t depth = strip.depth + row_of[row], t = first + key;
      return t <= last && t <= depth && (job.window == 0 || t > depth - job.window);
    };
    float higher[2] = {highest[0], highest[1]};
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float s = score[n][i] * job.scale;
        if (job.softcap > 0) s = job.softcap * tanhf(s / job.softcap);
        score[n][i] = s;
        if (is_visible(i / 2, key_of_score(n, i))) higher[i / 2] = fmaxf(higher[i / 2], s);
      }
    }
    float shrink[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      // The four lanes that share a row.
      higher[row] = fmaxf(higher[row], __shfl_xor_sync(kAllLanes, higher[row], 1));
      higher[row] = fmaxf(higher[row], __shfl_xor_sync(kAllLanes, higher[row], 2));
      // While a row has seen nothing all of its values are zero.
      shrink[row] = highest[row] == -INFINITY ? 0.0f : expf(highest[row] - higher[row]);
      highest[row] = higher[row];
      sum[row] *= shrink[row];
    }
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int key = key_of_score(n, i);
        const float weight = (spoiled >> key & 1u) != 0 ? NAN : expf(score[n][i] - highest[i / 2]);
        score[n][i] = is_visible(i / 2, key) ? deltascope::round_to_bf16(weight) : 0.0f;
        sum[i / 2] += score[n][i];
      }
    }
#pragma unroll
    for (int column = 0; column < kColumns; ++column) {
#pragma unroll
      for (int i = 0; i < 4; ++i) result[column][i] *= shrink[i / 2];
    }
#pragma unroll
    for (int step = 0; step < kKeys / 16; ++step) {
      const float(&left)[4] = score[2 * step], (&right)[4] = score[2 * step + 1];
      const uint32_t weights[4] = {pack_bf16(left[0], left[1]), pack_bf16(left[2], left[3]), pack_bf16(right[0], right[1]),
                                   pack_bf16(right[2], right[3])};
#pragma unroll
      for (int column = 0; column < kColumns; ++column) {
        const uint32_t* value = &values[column * 8 + group][step * 8 + pair / 2];
        add_product(result[column], weights, value[0], value[4]);
      }
    }
  }
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    sum[row] += __shfl_xor_sync(kAllLanes, sum[row], 1);
    sum[row] += __shfl_xor_sync(kAllLanes, sum[row], 2);
    if (row_of[row] >= strip.rows) continue;  // no lane of this row is missed below
    for (int column = 0; column < kColumns; ++column) {
      for (int i = 0; i < 2; ++i) {
        const int j = column * 8 + pair + i;
        if (j < head_dim) job.out[at + row_of[row] * row_stride + j] = result[column][2 * row + i] / sum[row];
      }
    }
  }
}

}  // namespace

// ---- launchers ----

void tensor_attention(const AttentionJob& job, cudaStream_t stream) {
  if (job.long_count == 0) return;
  const dim3 grid(static_cast<unsigned int>(job.long_count), static_cast<unsigned int>(job.heads));
  launch(job.head_dim <= 64 ? tensor_attention_kernel<64> : tensor_attention_kernel<128>, grid, kBlock, stream, job);
}

}  // namespace deltascope::cuda
