// Finding places in rows of values without sorting them: the key of a place is found from its highest four bits down, by what
// the values with each next digit weigh together. Whole numbers are summed, so that their order leaves no trace. Bound by reads: rows ·
// width · 4 bytes for each of eight digits.
#include "cuda/block.cuh"
#include "cuda/launch.h"
#include "cuda/order.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kEach = kLogitPiece / kBlock;  // values of a thread
constexpr int kDigitBits = 4, kDigits = 1 << kDigitBits, kFirstShift = 32 - kDigitBits;

// ---- the largest ----

/// A number that is the larger the sooner a value is taken: its key, then how low its id is.
__device__ inline uint64_t precedence(float value, int32_t id) {
  return static_cast<uint64_t>(key_of(value)) << 32 | ~static_cast<uint32_t>(id);
}

/// parts: 0 where a value is NaN.
__global__ void __launch_bounds__(kBlock) piece_largest_kernel(const float* x /* [rows, width] */, int64_t width,
                                                              uint64_t* parts /* [rows, pieces] */) {
  const int64_t row = blockIdx.x, first = blockIdx.y * kLogitPiece + threadIdx.x;
  x += row * width;
  uint64_t best = 0;
  int spoiled = 0;
  for (int i = 0; i < kEach; ++i) {
    const int64_t at = first + i * kBlock;
    if (at >= width) continue;
    const uint64_t here = precedence(x[at], static_cast<int32_t>(at));
    spoiled |= here >> 32 == 0;
    best = here > best ? here : best;
  }
  best = block_combine<kBlock>(best, [](uint64_t a, uint64_t b) { return a > b ? a : b; });
  spoiled = block_combine<kBlock>(spoiled, [](int a, int b) { return a | b; });
  if (threadIdx.x == 0) parts[row * gridDim.y + blockIdx.y] = spoiled != 0 ? 0 : best;
}

__global__ void __launch_bounds__(kBlock) row_largest_kernel(const uint64_t* parts, int64_t rows, int64_t pieces, Largest* out) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= rows) return;
  uint64_t best = 0;
  bool spoiled = false;
  for (int64_t i = 0; i < pieces; ++i) {
    const uint64_t here = parts[row * pieces + i];
    spoiled = spoiled || here == 0;
    best = here > best ? here : best;
  }
  const float value = value_of(static_cast<uint32_t>(best >> 32));
  const bool finite = value > -INFINITY && value < INFINITY;
  out[row] = {value, spoiled || !finite ? -1 : static_cast<int32_t>(~static_cast<uint32_t>(best))};
}

// ---- the search ----

/// parts[row, piece, digit] = what the values weigh whose keys begin as the place's does so far and go on with the digit.
__global__ void __launch_bounds__(kBlock) digit_sums_kernel(Search job, int shift) {
  __shared__ uint64_t warps[kBlock / kWarp][kDigits];
  const int64_t row = blockIdx.x, first = blockIdx.y * kLogitPiece + threadIdx.x;
  const float* values = job.values + row * job.width;
  const bool begins = shift == kFirstShift;
  const uint32_t known = begins ? 0 : ~0u << (shift + kDigitBits), key_so_far = begins ? 0 : job.places[row].key;
  uint64_t sums[kDigits] = {};
  for (int i = 0; i < kEach; ++i) {
    const int64_t at = first + i * kBlock;
    if (at >= job.width) continue;
    const uint32_t key = key_of(job.sign * values[at]);
    if (key == 0 || ((key ^ key_so_far) & known) != 0) continue;
    const uint64_t mass = mass_of(job.mass, row, key);
    const uint32_t digit = key >> shift & (kDigits - 1);
#pragma unroll
    for (uint32_t d = 0; d < kDigits; ++d) sums[d] += digit == d ? mass : 0;
  }
  const uint64_t own = warp_sums(sums);
  if (threadIdx.x % kWarp < kDigits) warps[threadIdx.x / kWarp][threadIdx.x % kWarp] = own;
  __syncthreads();
  if (threadIdx.x >= kDigits) return;
  uint64_t sum = 0;
  for (int w = 0; w < kBlock / kWarp; ++w) sum += warps[w][threadIdx.x];
  job.parts[(row * gridDim.y + blockIdx.y) * kDigits + threadIdx.x] = sum;
}

/// The mass that is passed at the place looked for is the first above this.
__device__ inline uint64_t target_of(const Goal& goal, int64_t row, uint64_t total) {
  if (goal.kind == Goal::Kind::rank) return (static_cast<uint64_t>(goal.count) < total ? goal.count : total) - 1;
  if (goal.kind == Goal::Kind::share) {
    const auto unit = static_cast<uint64_t>(kWeightUnit);  // of the first
    const auto most = static_cast<uint64_t>((1 - goal.share) * static_cast<double>(total));
    return total - (most < total - unit ? most : total - unit) - 1;
  }
  const uint64_t mass = goal.of == nullptr ? total : goal.of[row].mass;
  const auto drawn = static_cast<uint64_t>(goal.uniform[row] * static_cast<double>(mass));
  return drawn < mass - 1 ? drawn : mass - 1;
}

/// A warp for each row: the place's next digit.
__global__ void __launch_bounds__(kBlock) pick_digit_kernel(Search job, int shift, int64_t pieces) {
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x) / kWarp;
  const int lane = threadIdx.x % kWarp;
  if (row >= job.rows) return;  // a whole warp
  uint64_t sum = 0;
  for (int64_t piece = 0; piece < pieces && lane < kDigits; ++piece) sum += job.parts[(row * pieces + piece) * kDigits + lane];
  Place place{};
  if (shift == kFirstShift) {
    const uint64_t total = warp_sum(sum);
    place.target = total == 0 ? 0 : target_of(job.goal, row, total);
  } else {
    place = job.places[row];
  }
  bool found = false;
  for (int d = kDigits - 1; d >= 0; --d) {
    const uint64_t here = __shfl_sync(kAllLanes, sum, d);
    if (found) continue;  // the same in all lanes
    found = place.above + here > place.target;
    if (found) {
      place.key |= static_cast<uint32_t>(d) << shift;
    } else {
      place.above += here;
    }
  }
  __syncwarp();  // all have read the place
  if (lane != 0) return;
  if (shift == 0) {
    const uint64_t mass = found ? mass_of(job.mass, row, place.key) : 1;
    place.ties = found ? (place.target - place.above) / mass + 1 : 0;
    place.mass = place.above + place.ties * mass;
    if (!found) place.key = kNoKey;
  }
  job.places[row] = place;
}

// ---- what comes up to a place ----

__global__ void __launch_bounds__(kBlock) gather_until_kernel(const float* values /* [rows, width] */, int64_t width, float sign,
                                                             const Place* places, int64_t most, RankedId* to /* [rows, most] */,
                                                             int32_t* counts) {
  const int64_t row = blockIdx.x;
  const Place place = places[row];
  values += row * width;
  to += row * most;
  uint64_t ties = 0;  // met so far
  int64_t taken = 0;
  for (int64_t first = 0; first < width; first += kBlock) {
    const int64_t at = first + threadIdx.x;
    const float value = at < width ? sign * values[at] : 0;
    const uint32_t key = at < width ? key_of(value) : 0;
    int tied_here = 0, taken_here = 0;
    const int tied_before = sum_before<kBlock>(key == place.key ? 1 : 0, tied_here);
    const bool takes = key > place.key || (key == place.key && ties + static_cast<uint64_t>(tied_before) < place.ties);
    const int taken_before = sum_before<kBlock>(takes ? 1 : 0, taken_here);
    if (takes && taken + taken_before < most) to[taken + taken_before] = {static_cast<int32_t>(at), value};
    ties += static_cast<uint64_t>(tied_here);
    taken += taken_here;
  }
  if (threadIdx.x == 0) counts[row] = static_cast<int32_t>(taken);
}

dim3 rows_and_pieces(int64_t rows, int64_t width) {
  return dim3(static_cast<unsigned int>(rows), static_cast<unsigned int>(logit_pieces(width)));
}

}  // namespace

// ---- launchers ----

void find_largest(const float* x, int64_t rows, int64_t width, uint64_t* parts, Largest* out, cudaStream_t stream) {
  if (rows == 0) return;
  launch(piece_largest_kernel, rows_and_pieces(rows, width), kBlock, stream, x, width, parts);
  launch(row_largest_kernel, blocks_for(rows, kBlock), kBlock, stream, parts, rows, logit_pieces(width), out);
}

int64_t search_parts(int64_t rows, int64_t width) { return rows * logit_pieces(width) * kDigits; }

void search(const Search& job, cudaStream_t stream) {
  if (job.rows == 0) return;
  for (int shift = kFirstShift; shift >= 0; shift -= kDigitBits) {
    launch(digit_sums_kernel, rows_and_pieces(job.rows, job.width), kBlock, stream, job, shift);
    launch(pick_digit_kernel, blocks_for(job.rows, kBlock / kWarp), kBlock, stream, job, shift, logit_pieces(job.width));
  }
}

void gather_until(const float* values, int64_t rows, int64_t width, float sign, const Place* places, int64_t most, RankedId* to,
                  int32_t* counts, cudaStream_t stream) {
  if (rows == 0) return;
  launch(gather_until_kernel, blocks_for(rows, 1), kBlock, stream, values, width, sign, places, most, to, counts);
}

}  // namespace deltascope::cuda
