// Products of few rows. A warp has four outputs, so that each value of x that it reads serves four weights, and reads 16
// bytes of each at a time. Bound by reading w once for every eight rows: out · in · size.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/warp.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 128;
constexpr int kOutputs = 4;  // of a warp
constexpr int kMostRows = 8;

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};
__device__ inline float widened(float value) { return value; }
__device__ inline float widened(Bf16 value) { return bf16_to_f32(value.bits); }
__device__ inline float widened(F16 value) { return f16_to_f32(value.bits); }

/// 16 bytes of weights.
template <typename Weight>
struct alignas(16) Vector {
  static constexpr int kSize = 16 / sizeof(Weight);
  Weight values[kSize];
};

/// kRows: of x at once; rows that are not there are passed over. in_vectors: in / Vector::kSize where rows of w, and so of x, are
/// aligned to vectors, else 0. The sum of an output: a lane's terms in order of k, then over the lanes; the same whatever kRows.
template <typename Weight, int kRows>
__global__ void __launch_bounds__(kBlock) row_product_kernel(const Weight* w /* [out, in] */, const float* x /* [rows, in] */,
                                                            float* y, int64_t y_stride, int rows, int64_t out, int64_t in,
                                                            int64_t in_vectors, bool rounds, bool adds, float scale) {
  const int lane = threadIdx.x % kWarp;
  const int64_t warp = (static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x) / kWarp;
  const int64_t first = warp * kOutputs;
  if (first >= out) return;
  const int outputs = out - first < kOutputs ? static_cast<int>(out - first) : kOutputs;
  float sum[kOutputs][kRows];
  for (int o = 0; o < kOutputs; ++o) {
    for (int r = 0; r < kRows; ++r) sum[o][r] = 0;
  }
  const auto taken = [&](float value) { return rounds ? deltascope::round_to_bf16(value) : value; };
  constexpr int kSize = Vector<Weight>::kSize, kFloats = Vector<float>::kSize;
  for (int64_t v = lane; v < in_vectors; v += kWarp) {
    Vector<Weight> weights[kOutputs];
#pragma unroll
    for (int o = 0; o < kOutputs; ++o) {
      const int64_t row = first + (o < outputs ? o : 0);
      weights[o] = reinterpret_cast<const Vector<Weight>*>(w + row * in)[v];
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= rows) continue;
#pragma unroll
      for (int i = 0; i < kSize; i += kFloats) {
        const auto values = reinterpret_cast<const Vector<float>*>(x + r * in + v * kSize + i)[0];
#pragma unroll
        for (int n = 0; n < kFloats; ++n) {
          const float value = taken(values.values[n]);
#pragma unroll
          for (int o = 0; o < kOutputs; ++o) sum[o][r] += value * widened(weights[o].values[i + n]);
        }
      }
    }
  }
  for (int64_t k = in_vectors * kSize + lane; k < in; k += kWarp) {
    for (int o = 0; o < outputs; ++o) {
      const float weight = widened(w[(first + o) * in + k]);
      for (int r = 0; r < kRows; ++r) {
        if (r < rows) sum[o][r] += taken(x[r * in + k]) * weight;
      }
    }
  }
#pragma unroll
  for (int o = 0; o < kOutputs; ++o) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r >= rows || o >= outputs) continue;  // the same in all lanes
      const float total = warp_sum(sum[o][r]);
      if (lane != 0) continue;
      float* to = y + r * y_stride + first + o;
      *to = adds ? *to + scale * total : total;
    }
  }
}

// ---- launchers ----

template <typename Weight>
void multiply(const RowProduct& p, cudaStream_t stream) {
  const auto* w = static_cast<const Weight*>(p.w);
  const int64_t in_vectors = p.in % Vector<Weight>::kSize == 0 ? p.in / Vector<Weight>::kSize : 0;
  const unsigned int blocks = blocks_for(p.out, kOutputs * (kBlock / kWarp));
  for (int64_t row = 0; row < p.rows; row += kMostRows) {
    const int64_t rows = p.rows - row < kMostRows ? p.rows - row : kMostRows;
    auto* kernel = rows == 1 ? row_product_kernel<Weight, 1> : row_product_kernel<Weight, kMostRows>;
    launch(kernel, blocks, kBlock, stream, w, p.x + row * p.in, p.y + row * p.y_stride, p.y_stride, rows, p.out, p.in,
           in_vectors, p.rounds, p.adds, p.scale);
  }
}

}  // namespace

void row_product(const RowProduct& product, cudaStream_t stream) {
  if (product.out == 0) return;
  if (product.dtype == DType::bf16) {
    multiply<Bf16>(product, stream);
  } else if (product.dtype == DType::f16) {
    multiply<F16>(product, stream);
  } else {
    multiply<float>(product, stream);
  }
}

}  // namespace deltascope::cuda
