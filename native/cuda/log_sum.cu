// Sums of exponentials of rows, in float64. Bound by reads: rows · width · 4 bytes.
#include "cuda/block.cuh"
#include "cuda/launch.h"
#include "cuda/logit_kernels.h"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kEach = kLogitPiece / kBlock;  // values of a thread

/// blockIdx.x: the row; y: the piece.
__global__ void __launch_bounds__(kBlock) piece_sums_kernel(const float* x /* [rows, width] */, float sign, int64_t width,
                                                            RowSum* parts /* [rows, pieces] */) {
  const int64_t row = blockIdx.x, first = blockIdx.y * kLogitPiece + threadIdx.x;
  x += row * width;
  float values[kEach], highest = -INFINITY;
  for (int i = 0; i < kEach; ++i) {
    const int64_t at = first + i * kBlock;
    values[i] = at < width ? sign * x[at] : -INFINITY;
    highest = fmaxf(highest, values[i]);
  }
  highest = block_combine<kBlock>(highest, [](float a, float b) { return fmaxf(a, b); });
  double sum = 0;
  for (int i = 0; i < kEach; ++i) {
    if (values[i] != -INFINITY) sum += exp(static_cast<double>(values[i]) - highest);
  }
  sum = block_sum<kBlock>(sum);
  if (threadIdx.x == 0) parts[row * gridDim.y + blockIdx.y] = {highest, sum, 0};
}

__global__ void __launch_bounds__(kBlock) row_sums_kernel(const RowSum* parts, int64_t rows, int64_t pieces, RowSum* sums) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= rows) return;
  parts += row * pieces;
  float highest = -INFINITY;
  for (int64_t i = 0; i < pieces; ++i) highest = fmaxf(highest, parts[i].highest);
  double sum = 0;
  for (int64_t i = 0; i < pieces; ++i) sum += parts[i].sum * exp(static_cast<double>(parts[i].highest) - highest);
  sums[row] = {highest, sum, highest + log(sum)};
}

}  // namespace

// ---- launchers ----

void log_sums(const float* x, float sign, int64_t rows, int64_t width, RowSum* parts, RowSum* sums, cudaStream_t stream) {
  if (rows == 0) return;
  const dim3 grid(static_cast<unsigned int>(rows), static_cast<unsigned int>(logit_pieces(width)));
  launch(piece_sums_kernel, grid, kBlock, stream, x, sign, width, parts);
  launch(row_sums_kernel, blocks_for(rows, kBlock), kBlock, stream, parts, rows, logit_pieces(width), sums);
}

}  // namespace deltascope::cuda
