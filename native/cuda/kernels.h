#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"
#include "core/exact_sum.h"

/// What runs on the device. All pointers are device memory; rows are dense. Everything is enqueued on the stream, nothing waits
/// for it. Sums have a fixed order that depends on a row's own width only, so that a row has the same bits whatever stands
/// beside it. The twin of each is the function of the same name in ops/ or diff/, by which it is judged.
namespace deltascope::cuda {

// norm.cu

/// See ops/rms_norm.h, ops/layer_norm.h. y may be x.
void rms_norm(const float* x, const float* gamma, float eps, float* y, int64_t rows, int64_t width, cudaStream_t stream);
void layer_norm(const float* x, const float* gamma, const float* beta, float eps, float* y, int64_t rows, int64_t width,
                cudaStream_t stream);
/// The same as round_to_bf16 makes them.
void rms_norm(const float* x, const float* gamma, float eps, uint16_t* y, int64_t rows, int64_t width, cudaStream_t stream);
void layer_norm(const float* x, const float* gamma, const float* beta, float eps, uint16_t* y, int64_t rows, int64_t width,
                cudaStream_t stream);

// elementwise.cu

void add(float* x, const float* y, int64_t count, cudaStream_t stream);
void add_bias(float* x, const float* bias, int64_t rows, int64_t width, cudaStream_t stream);
/// Row i of x += strengths[i] · vector.
void add_scaled_rows(float* x, const float* vector, const float* strengths, int64_t rows, int64_t width, cudaStream_t stream);
/// See ops/activation.h.
void silu_gate(float* gate, const float* up, int64_t count, cudaStream_t stream);
void gelu_tanh_gate(float* gate, const float* up, int64_t count, cudaStream_t stream);
void gelu_tanh(float* x, int64_t count, cudaStream_t stream);
/// The gated ones as round_to_bf16 makes them.
void silu_gate(const float* gate, const float* up, uint16_t* to, int64_t count, cudaStream_t stream);
void gelu_tanh_gate(const float* gate, const float* up, uint16_t* to, int64_t count, cudaStream_t stream);
void soft_cap(float* x, int64_t count, float cap, cudaStream_t stream);
/// See ops/rotary.h. table: [positions, 2 · half] cosines and sines; positions: [rows].
void apply_rotary(float* x, const float* table, const int32_t* positions, int64_t rows, int64_t heads, int64_t head_dim,
                  int64_t half, cudaStream_t stream);
/// Rounds to bfloat16, to nearest, ties to even.
void round_to_bf16(const float* x, uint16_t* y, int64_t count, cudaStream_t stream);
/// Widens float16 or bfloat16 exactly.
void widen(const void* x, DType dtype, float* y, int64_t count, cudaStream_t stream);
/// Row i of `to` becomes row rows[i] of `from`.
void gather_rows(const float* from, const int32_t* rows, float* to, int64_t count, int64_t width, cudaStream_t stream);
/// to[i] = x[rows[i], columns[i]]
void gather_values(const float* x, int64_t width, const int32_t* rows, const int32_t* columns, float* to, int64_t count,
                   cudaStream_t stream);
/// Row rows[i] of `to` += weights[i] · row i of `from`; every row at most once.
void add_weighted_rows(float* to, const int32_t* rows, const float* weights, const float* from, int64_t count, int64_t width,
                       cudaStream_t stream);

// attention.cu

/// Some rows, each the parent of the next, and the nodes from their root on: those of path[offset …], the first row's at
/// `depth`. Rows of one strip share what is read of their ancestors.
struct Strip {
  int32_t row, rows;
  int64_t offset;  // paths of many long texts are more than 2³¹ nodes together
  int32_t depth;
};
/// How many rows a strip may have at most, for heads of this size, where so many rows are each other's parents at most.
int64_t strip_rows(int64_t head_dim, int64_t longest);

struct AttentionJob {
  const float *q, *k, *v;  // q: of the nodes first, first + 1, …; k, v: of all nodes
  float* out;              // as q; may be q
  const Strip* strips;
  const int32_t* path;
  int64_t strip_count, first, rows, heads, kv_heads, head_dim;
  const Strip* long_strips;  // those for tensor_attention
  int64_t long_count;
  int64_t rows_of_strip, longest;  // at most; and nodes of a path
  float scale, softcap;            // as in AttentionShape
  int64_t window;
  int64_t heads_together = 1;  // that share their keys and a block
  float* parts = nullptr;      // [attention_parts(job)], scratch; null: paths are not cut
};
/// See ops/tree_attention.h. head_dim is at most kMaxHead.
inline constexpr int64_t kMaxHead = 256;
void tree_attention(const AttentionJob& job, cudaStream_t stream);

/// For few rows of long paths: paths are cut at multiples of kPathPiece nodes from the root, each piece is a block's, and what
/// they find is put together in their order. A row's bits are those of a path that is not cut where it has one piece.
inline constexpr int64_t kPathPiece = 256;
int64_t attention_parts(const AttentionJob& job);
/// How many heads may share a block.
int64_t heads_together(const AttentionJob& job);

// attention_tensor.cu

/// The job's long strips, of up to kTensorRows rows: tensor cores take the rows that have at least kTensorDepth ancestors, by heads
/// of up to kTensorHead values, in models with bfloat16 products. Queries, keys, values and weights are rounded to bfloat16.
inline constexpr int64_t kTensorRows = 64, kTensorDepth = 256, kTensorHead = 128;
void tensor_attention(const AttentionJob& job, cudaStream_t stream);

// product.cu

/// See ops/row_product.h. w: [out, in] of a float type; y = Σ, or y + scale · Σ. rounds: x is rounded to bfloat16 first.
struct RowProduct {
  const void* w;
  DType dtype;
  const float* x;
  float* y;
  int64_t rows, out, in, y_stride;
  bool rounds = false, adds = false;
  float scale = 1;
};
void row_product(const RowProduct& product, cudaStream_t stream);

// moments.cu

/// Sums of a pair's values over the entries of some positions, see diff/moments.h.
struct PairJob {
  const float *base, *finetuned;  // [nodes, width]
  const int32_t* node;            // [entries]
  const int64_t *first, *count, *even;  // [positions + 1], [entries], [entries]
  const int32_t* signs;           // [entries, swaps]
  int64_t positions, entries, width, swaps;
  bool compat;
};
/// Sums that `pair_sums` makes for each position and dimension: base, finetuned, diff, even diff, even base.
inline constexpr int64_t kPairSums = 5;
/// sums: [positions, kPairSums + swaps, width]; spoiled: [positions, width]. Exact, so the bits of Moments::add.
void pair_sums(const PairJob& job, int128* sums, int64_t* spoiled, cudaStream_t stream);
/// ‖base‖, ‖finetuned‖, ‖finetuned − base‖² of every entry, [entries, 3], in float64.
void pair_norms(const PairJob& job, double* norms, cudaStream_t stream);

}  // namespace deltascope::cuda
