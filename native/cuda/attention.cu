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

__device__ __host__ inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// The first node, counted from the root, that any row of a strip sees.
__device__ inline int64_t first_seen(const AttentionJob& job, const Strip& strip) {
  return job.window > 0 && strip.depth >= job.window ? strip.depth - job.window + 1 : 0;
}

/// Where a piece of a path leaves what it found for a row and a head: the highest score, the sum of weights, the weighted values.
__device__ inline float* part_of(const AttentionJob& job, int64_t piece, int64_t row, int64_t head) {
  return job.parts + ((piece * job.rows + row) * job.heads + head) * (job.head_dim + 2);
}

/// kPieces: of 32 values, that cover a head. kRows: of a warp; each is one of a strip's rows with one of the heads that share the
/// block. blockIdx.x: the strip; y: the heads; z: the piece of the path, where paths are cut.
template <int kPieces, int kRows>
__global__ void __launch_bounds__(kWarps* kWarp) attention_kernel(AttentionJob job) {
  constexpr int kWidth = kPieces * kWarp;
  __shared__ float queries[kWarps * kRows][kWidth];
  __shared__ float tile[kWarp][kWidth + 1];  // keys, then values; the odd stride spreads a column over the banks

  const Strip strip = job.strips[blockIdx.x];
  const int together = static_cast<int>(job.heads_together);
  const int64_t head = static_cast<int64_t>(blockIdx.y) * together, head_dim = job.head_dim;
  const int64_t kv_stride = job.kv_heads * head_dim, kv_head = head / (job.heads / job.kv_heads) * head_dim;
  const int64_t row_stride = job.heads * head_dim;
  const int64_t at = (strip.row - job.first) * row_stride + head * head_dim;  // of the strip's first row in q and out
  const int thread = threadIdx.x, warp = thread / kWarp, lane = thread % kWarp;
  const int32_t* path = job.path + strip.offset;
  int64_t last = strip.depth + strip.rows - 1;  // the deepest node that any row sees
  int64_t begin = first_seen(job, strip) / kWarp * kWarp;
  if (job.parts != nullptr) {
    const int64_t piece = static_cast<int64_t>(blockIdx.z) * kPathPiece;
    begin = begin > piece ? begin : piece;
    last = smaller(last, piece + kPathPiece - 1);
    if (begin > last) return;  // the whole block
  }

  for (int i = thread; i < kWarps * kRows * kWidth; i += kWarps * kWarp) {
    const int query = i / kWidth, j = i % kWidth, row = query / together;
    const int64_t from = at + row * row_stride + query % together * head_dim + j;
    queries[query][j] = row < strip.rows && j < head_dim ? job.q[from] : 0.0f;
  }
  /// Rows first … first + 31 of the path, as far as there are any, into the tile.
  const auto load = [&](const float* from, int64_t first) {
    const int here = static_cast<int>(smaller(last - first + 1, kWarp));
    for (int i = thread; i < here * kWidth; i += kWarps * kWarp) {
      const int t = i / kWidth, j = i % kWidth;
      tile[t][j] = j < head_dim ? from[path[first + t] * kv_stride + kv_head + j] : 0.0f;
    }
    return here;
  };

  int row_of[kRows];
  float highest[kRows], sum[kRows], result[kRows][kPieces];
  for (int r = 0; r < kRows; ++r) {
    row_of[r] = (r * kWarps + warp) / together;
    highest[r] = -INFINITY;
    sum[r] = 0;
    for (int p = 0; p < kPieces; ++p) result[r][p] = 0;
  }
  for (int64_t first = begin; first <= last; first += kWarp) {
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
      const int64_t depth = strip.depth + row_of[r];
      const bool visible = lane < here && row_of[r] < strip.rows && t <= depth && (job.window == 0 || t > depth - job.window);
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
    if (row_of[r] >= strip.rows) continue;
    const int own = (r * kWarps + warp) % together;  // head
    float* out = job.out + at + row_of[r] * row_stride + own * head_dim;
    float *part = nullptr, divisor = sum[r];
    if (job.parts != nullptr) {
      part = part_of(job, blockIdx.z, strip.row - job.first + row_of[r], head + own);
      if (lane == 0) part[0] = highest[r], part[1] = sum[r];
      out = part + 2, divisor = 1;
    }
    for (int p = 0; p < kPieces; ++p) {
      const int j = p * kWarp + lane;
      if (j < head_dim) out[j] = result[r][p] / divisor;
    }
  }
}

/// What the pieces of a path found, put together. blockIdx.x: the strip; y: the head.
__global__ void __launch_bounds__(kWarps* kWarp) combine_kernel(AttentionJob job) {
  const Strip strip = job.strips[blockIdx.x];
  const int64_t head = blockIdx.y;
  const int64_t begin = first_seen(job, strip) / kPathPiece, end = (strip.depth + strip.rows - 1) / kPathPiece + 1;
  for (int64_t row = strip.row - job.first; row < strip.row - job.first + strip.rows; ++row) {
    float highest = -INFINITY, sum = 0;
    for (int64_t piece = begin; piece < end; ++piece) highest = fmaxf(highest, part_of(job, piece, row, head)[0]);
    for (int64_t piece = begin; piece < end; ++piece) {
      const float* part = part_of(job, piece, row, head);
      sum += part[1] * expf(part[0] - highest);
    }
    for (int64_t j = threadIdx.x; j < job.head_dim; j += kWarps * kWarp) {
      float result = 0;
      for (int64_t piece = begin; piece < end; ++piece) {
        const float* part = part_of(job, piece, row, head);
        result += part[2 + j] * expf(part[0] - highest);
      }
      job.out[(row * job.heads + head) * job.head_dim + j] = result / sum;
    }
  }
}

// ---- launchers ----

int64_t path_pieces(const AttentionJob& job) {
  return job.parts == nullptr ? 1 : (job.longest + kPathPiece - 1) / kPathPiece;
}

template <int kPieces>
void attend(const AttentionJob& job, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned int>(job.strip_count), static_cast<unsigned int>(job.heads / job.heads_together),
                  static_cast<unsigned int>(path_pieces(job)));
  if (job.rows_of_strip * job.heads_together <= kWarps) {
    launch(attention_kernel<kPieces, 1>, grid, kWarps * kWarp, stream, job);
  } else {
    launch(attention_kernel<kPieces, rows_of_warp(kPieces)>, grid, kWarps * kWarp, stream, job);
  }
}

int pieces_of(int64_t head_dim) { return head_dim <= 64 ? 2 : head_dim <= 128 ? 4 : 8; }

}  // namespace

int64_t strip_rows(int64_t head_dim, int64_t longest) {
  return longest <= kShortest ? kWarps : kWarps * rows_of_warp(pieces_of(head_dim));
}

int64_t heads_together(const AttentionJob& job) {
  const int64_t group = job.heads / job.kv_heads, most = kWarps * rows_of_warp(pieces_of(job.head_dim)) / job.rows_of_strip;
  int64_t together = smaller(group, most);
  while (together > 1 && group % together != 0) --together;
  return together > 1 ? together : 1;
}

int64_t attention_parts(const AttentionJob& job) {
  return (job.longest + kPathPiece - 1) / kPathPiece * job.rows * job.heads * (job.head_dim + 2);
}

void tree_attention(const AttentionJob& job, cudaStream_t stream) {
  tensor_attention(job, stream);
  if (job.strip_count == 0) return;
  switch (pieces_of(job.head_dim)) {
    case 2:
      attend<2>(job, stream);
      break;
    case 4:
      attend<4>(job, stream);
      break;
    default:
      attend<8>(job, stream);
  }
  if (job.parts == nullptr) return;
  launch(combine_kernel, dim3(static_cast<unsigned int>(job.strip_count), static_cast<unsigned int>(job.heads)), kWarps * kWarp,
         stream, job);
}

}  // namespace deltascope::cuda
