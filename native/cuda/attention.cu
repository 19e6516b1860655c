// Attention of strips of rows over their ancestors, 32 of these at a time, the softmax kept running (Dao et al. 2022, arXiv
// 2205.14135). A block has one strip and one head; a warp has every fourth of its rows, and in the products of queries
// and keys a lane has one ancestor. Bound by reads of the tiles in shared memory. The tiles are cut at fixed distances from
// the root, and a tile of which a row sees nothing leaves its values as they are: a row's bits depend on its path only.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/warp.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kShortest = 16;  // of chains of rows for which a warp has one row at a time

/// Rows that a warp has at once, where a head has so many pieces of 32 values; bounded by 48 KiB of shared memory.
constexpr int rows_of_warp(int pieces) { return pieces > 4 ? 2 : 4; }

/// kPieces: of 32 values, that cover a head. kRows: of a warp.
template <int kPieces, int kRows>
__global__ void __launch_bounds__(kWarps* kWarp) attention_kernel(AttentionJob job) {
  constexpr int kWidth = kPieces * kWarp;
  __shared__ float queries[kWarps * kRows][kWidth];
  __shared__ float tile[kWarp][kWidth + 1];  // keys, then values; the odd stride spreads a column over the banks

  const Strip strip = job.strips[blockIdx.x];
  const int64_t head = blockIdx.y, head_dim = job.head_dim;
  const int64_t kv_stride = job.kv_heads * head_dim, kv_head = head / (job.heads / job.kv_heads) * head_dim;
  const int64_t row_stride = job.heads * head_dim;
  const int64_t at = (strip.row - job.first) * row_stride + head * head_dim;  // of the strip's first row in q and out
  const int thread = threadIdx.x, warp = thread / kWarp, lane = thread % kWarp;
  const int32_t* path = job.path + strip.offset;
  const int64_t last = strip.depth + strip.rows - 1;  // the deepest node that any row sees

  for (int i = thread; i < kWarps * kRows * kWidth; i += kWarps * kWarp) {
    const int row = i / kWidth, j = i % kWidth;
    queries[row][j] = row < strip.rows && j < head_dim ? job.q[at + row * row_stride + j] : 0.0f;
  }
  /// Rows first … first + 31 of the path, as far as there are any, into the tile.
  const auto load = [&](const float* from, int64_t first) {
    const int here = last - first + 1 < kWarp ? static_cast<int>(last - first + 1) : kWarp;
    for (int i = thread; i < here * kWidth; i += kWarps * kWarp) {
      const int t = i / kWidth, j = i % kWidth;
      tile[t][j] = j < head_dim ? from[path[first + t] * kv_stride + kv_head + j] : 0.0f;
    }
    return here;
  };

  float highest[kRows], sum[kRows], result[kRows][kPieces];
  for (int r = 0; r < kRows; ++r) {
    highest[r] = -INFINITY;
    sum[r] = 0;
    for (int p = 0; p < kPieces; ++p) result[r][p] = 0;
  }
  const int64_t seen = job.window > 0 && strip.depth >= job.window ? strip.depth - job.window + 1 : 0;  // by the first row
  for (int64_t first = seen / kWarp * kWarp; first <= last; first += kWarp) {
    __syncthreads();  // the values of the last tile have been read, and the queries are there
    const int here = load(job.k, first);
    __syncthreads();
    float score[kRows];
    for (int r = 0; r < kRows; ++r) score[r] = 0;
    const float* key = tile[lane < here ? lane : 0];
    for (int j = 0; j < kWidth; ++j) {
      const float value = key[j];
#pragma unroll
      for (int r = 0; r < kRows; ++r) score[r] += queries[r * kWarps + warp][j] * value;
    }
    const int64_t t = first + lane;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int row = r * kWarps + warp;
      const int64_t depth = strip.depth + row;
      const bool visible = row < strip.rows && t <= depth && (job.window == 0 || t > depth - job.window);
      float s = score[r] * job.scale;
      if (job.softcap > 0) s = job.softcap * tanhf(s / job.softcap);
      const float higher = fmaxf(highest[r], warp_max(visible ? s : -INFINITY));
      // While a row has seen nothing all of its values are zero.
      const float shrink = highest[r] == -INFINITY ? 0.0f : expf(highest[r] - higher);
      const float weight = visible ? expf(s - higher) : 0.0f;
      const float total = warp_sum(weight);
      if (higher != highest[r]) {
        sum[r] *= shrink;
        for (int p = 0; p < kPieces; ++p) result[r][p] *= shrink;
        highest[r] = higher;
      }
      sum[r] += total;
      score[r] = visible ? weight : -1.0f;  // what a row does not see must not reach it, NaN and infinity neither
    }
    __syncthreads();  // the keys have been read
    load(job.v, first);
    __syncthreads();
    for (int i = 0; i < here; ++i) {
      float value[kPieces];
#pragma unroll
      for (int p = 0; p < kPieces; ++p) value[p] = tile[i][p * kWarp + lane];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float weight = __shfl_sync(kAllLanes, score[r], i);
        if (weight < 0) continue;  // the same in all lanes
#pragma unroll
        for (int p = 0; p < kPieces; ++p) result[r][p] += weight * value[p];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    const int row = r * kWarps + warp;
    for (int p = 0; p < kPieces; ++p) {
      const int j = p * kWarp + lane;
      if (row < strip.rows && j < head_dim) job.out[at + row * row_stride + j] = result[r][p] / sum[r];
    }
  }
}

// ---- launchers ----

template <int kPieces>
void attend(const AttentionJob& job, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned int>(job.strip_count), static_cast<unsigned int>(job.heads));
  if (job.rows_per_strip <= kWarps) {
    launch(attention_kernel<kPieces, 1>, grid, kWarps * kWarp, stream, job);
  } else {
    launch(attention_kernel<kPieces, rows_of_warp(kPieces)>, grid, kWarps * kWarp, stream, job);
  }
}

}  // namespace

int64_t strip_rows(int64_t head_dim, int64_t longest) {
  return longest <= kShortest ? kWarps : kWarps * rows_of_warp(static_cast<int>((head_dim + kWarp - 1) / kWarp));
}

void tree_attention(const AttentionJob& job, cudaStream_t stream) {
  if (job.strip_count == 0) return;
  if (job.head_dim <= 64) {
    attend<2>(job, stream);
  } else if (job.head_dim <= 128) {
    attend<4>(job, stream);
  } else {
    attend<8>(job, stream);
  }
}

}  // namespace deltascope::cuda
