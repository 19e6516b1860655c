// Norms of rows: sums in float64, as on the host. Bound by reads and writes: rows · width · 8 bytes, where a row is still in
// the first cache when it is read again.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/store.cuh"
#include "cuda/warp.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;

/// The sum over the kThreads threads that share a row, in each of them. kThreads: a warp, or the whole block.
template <int kThreads>
__device__ double row_sum(double value) {
  value = warp_sum(value);
  if constexpr (kThreads > kWarp) {
    __shared__ double parts[kThreads / kWarp];
    __syncthreads();  // the last call's parts have been read
    if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
    __syncthreads();
    value = 0;
    for (int i = 0; i < kThreads / kWarp; ++i) value += parts[i];
  }
  return value;
}

template <int kThreads, bool kCentred, typename Out>
__global__ void norm_kernel(const float* x /* [rows, width] */, const float* gamma /* [width] */, const float* beta,
                            float eps, Out* y /* [rows, width] */, int64_t rows, int64_t width) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (kBlock / kThreads) + threadIdx.x / kThreads;
  const int lane = threadIdx.x % kThreads;
  if (row >= rows) return;  // a whole warp, and never one of several that share a row
  x += row * width;
  y += row * width;
  double mean = 0;
  if constexpr (kCentred) {
    for (int64_t j = lane; j < width; j += kThreads) mean += static_cast<double>(x[j]);
    mean = row_sum<kThreads>(mean) / static_cast<double>(width);
  }
  double squares = 0;
  for (int64_t j = lane; j < width; j += kThreads) squares += (x[j] - mean) * (x[j] - mean);
  const double scale = 1.0 / sqrt(row_sum<kThreads>(squares) / static_cast<double>(width) + static_cast<double>(eps));
  if constexpr (kCentred) {
    for (int64_t j = lane; j < width; j += kThreads) store(&y[j], static_cast<float>((x[j] - mean) * scale) * gamma[j] + beta[j]);
  } else {
    for (int64_t j = lane; j < width; j += kThreads) store(&y[j], x[j] * static_cast<float>(scale) * gamma[j]);
  }
}

// ---- launchers ----

template <bool kCentred, typename Out>
void norm(const float* x, const float* gamma, const float* beta, float eps, Out* y, int64_t rows, int64_t width,
          cudaStream_t stream) {
  if (rows == 0) return;
  if (width <= 2 * kBlock) {  // heads: a warp each
    launch(norm_kernel<kWarp, kCentred, Out>, blocks_for(rows, kBlock / kWarp), kBlock, stream, x, gamma, beta, eps, y, rows, width);
  } else {
    launch(norm_kernel<kBlock, kCentred, Out>, blocks_for(rows, 1), kBlock, stream, x, gamma, beta, eps, y, rows, width);
  }
}

}  // namespace

void rms_norm(const float* x, const float* gamma, float eps, float* y, int64_t rows, int64_t width, cudaStream_t stream) {
  norm<false>(x, gamma, nullptr, eps, y, rows, width, stream);
}

void rms_norm(const float* x, const float* gamma, float eps, uint16_t* y, int64_t rows, int64_t width, cudaStream_t stream) {
  norm<false>(x, gamma, nullptr, eps, y, rows, width, stream);
}

void layer_norm(const float* x, const float* gamma, const float* beta, float eps, float* y, int64_t rows, int64_t width,
                cudaStream_t stream) {
  norm<true>(x, gamma, beta, eps, y, rows, width, stream);
}

void layer_norm(const float* x, const float* gamma, const float* beta, float eps, uint16_t* y, int64_t rows, int64_t width,
                cudaStream_t stream) {
  norm<true>(x, gamma, beta, eps, y, rows, width, stream);
}

}  // namespace deltascope::cuda
