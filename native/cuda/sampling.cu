// Choosing tokens where their logits are, as choose_token does; all but the places they are at (search.cu). Bound by reads: rows ·
// width · 4 bytes.
#include "cuda/block.cuh"
#include "cuda/launch.h"
#include "cuda/order.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kEach = kLogitPiece / kBlock;  // values of a thread

/// A block for each row.
__global__ void __launch_bounds__(kBlock) penalise_kernel(float* logits /* [rows, width] */, int64_t width, const int64_t* offsets,
                                                          const int32_t* ids, double penalty) {
  logits += blockIdx.x * width;
  for (int64_t i = offsets[blockIdx.x] + threadIdx.x; i < offsets[blockIdx.x + 1]; i += kBlock) {
    const double score = logits[ids[i]];
    logits[ids[i]] = static_cast<float>(score < 0 ? score * penalty : score / penalty);
  }
}

__global__ void __launch_bounds__(kBlock) take_places_kernel(const float* logits /* [rows, width] */, int64_t width,
                                                             const Largest* largest, const Place* places, int32_t* ids) {
  const int64_t row = blockIdx.x;
  const Place place = places[row];
  logits += row * width;
  if (largest[row].id < 0) {
    if (threadIdx.x == 0) ids[row] = -1;
    return;  // the whole block
  }
  uint64_t ties = 0;  // met so far
  for (int64_t first = 0; first < width && ties < place.ties; first += kBlock) {
    const int64_t at = first + threadIdx.x;
    const bool tied = at < width && key_of(logits[at]) == place.key;
    int tied_here = 0;
    const int before = sum_before<kBlock>(tied ? 1 : 0, tied_here);
    if (tied && ties + static_cast<uint64_t>(before) + 1 == place.ties) ids[row] = static_cast<int32_t>(at);
    ties += static_cast<uint64_t>(tied_here);
  }
}

__device__ inline uint64_t mass_at(const float* logits, int64_t at, int64_t width, const Mass& mass, int64_t row) {
  const uint32_t key = at < width ? key_of(logits[at]) : 0;
  return key == 0 ? 0 : mass_of(mass, row, key);
}

__global__ void __launch_bounds__(kBlock) piece_masses_kernel(const float* logits /* [rows, width] */, int64_t width, Mass mass,
                                                              uint64_t* parts /* [rows, pieces] */) {
  const int64_t row = blockIdx.x, first = blockIdx.y * kLogitPiece + threadIdx.x;
  uint64_t sum = 0;
  for (int i = 0; i < kEach; ++i) sum += mass_at(logits + row * width, first + i * kBlock, width, mass, row);
  sum = block_sum<kBlock>(sum);
  if (threadIdx.x == 0) parts[row * gridDim.y + blockIdx.y] = sum;
}

__global__ void __launch_bounds__(kBlock) draw_by_id_kernel(const float* logits /* [rows, width] */, int64_t width, Mass mass,
                                                            const double* uniform, const uint64_t* parts, int64_t pieces,
                                                            int32_t* ids) {
  const int64_t row = blockIdx.x;
  logits += row * width;
  parts += row * pieces;
  if (mass.largest[row].id < 0) {
    if (threadIdx.x == 0) ids[row] = -1;
    return;  // the whole block
  }
  uint64_t total = 0;
  for (int64_t piece = 0; piece < pieces; ++piece) total += parts[piece];
  auto drawn = static_cast<uint64_t>(uniform[row] * static_cast<double>(total));
  if (drawn > total - 1) drawn = total - 1;
  uint64_t passed = 0;
  int64_t piece = 0;
  while (piece + 1 < pieces && passed + parts[piece] <= drawn) passed += parts[piece++];
  for (int i = 0; i < kEach && passed <= drawn; ++i) {
    const int64_t at = piece * kLogitPiece + i * kBlock + threadIdx.x;
    const uint64_t own = mass_at(logits, at, width, mass, row);
    uint64_t here = 0;
    const uint64_t before = passed + sum_before<kBlock>(own, here);
    if (before <= drawn && drawn < before + own) ids[row] = static_cast<int32_t>(at);
    passed += here;
  }
}

}  // namespace

// ---- launchers ----

void penalise(float* logits, int64_t rows, int64_t width, const int64_t* offsets, const int32_t* ids, double penalty,
              cudaStream_t stream) {
  if (rows == 0) return;
  launch(penalise_kernel, blocks_for(rows, 1), kBlock, stream, logits, width, offsets, ids, penalty);
}

void take_places(const float* logits, int64_t rows, int64_t width, const Largest* largest, const Place* places, int32_t* ids,
                 cudaStream_t stream) {
  if (rows == 0) return;
  launch(take_places_kernel, blocks_for(rows, 1), kBlock, stream, logits, width, largest, places, ids);
}

void draw_by_id(const float* logits, int64_t rows, int64_t width, const Mass& mass, const double* uniform, uint64_t* parts,
                int32_t* ids, cudaStream_t stream) {
  if (rows == 0) return;
  const int64_t pieces = logit_pieces(width);
  const dim3 grid(static_cast<unsigned int>(rows), static_cast<unsigned int>(pieces));
  launch(piece_masses_kernel, grid, kBlock, stream, logits, width, mass, parts);
  launch(draw_by_id_kernel, blocks_for(rows, 1), kBlock, stream, logits, width, mass, uniform, parts, pieces, ids);
}

}  // namespace deltascope::cuda
