// What is done to values one by one. Bound by reads and writes.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/store.cuh"

namespace deltascope::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int64_t kMostBlocks = int64_t{1} << 20;  // more values are taken in strides of the grid

template <typename Body>
__global__ void each_kernel(int64_t count, Body body) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) body(i);
}

template <typename Body>
void each(int64_t count, cudaStream_t stream, Body body) {
  if (count == 0) return;
  const unsigned int blocks = blocks_for(count, kBlock) < kMostBlocks ? blocks_for(count, kBlock) : kMostBlocks;
  launch(each_kernel<Body>, blocks, kBlock, stream, count, body);
}

/// A block for a piece of one row; so that no thread has to divide by the width.
template <typename Body>
__global__ void each_of_row_kernel(int width, Body body) {
  const int column = blockIdx.y * blockDim.x + threadIdx.x;
  if (column < width) body(static_cast<int64_t>(blockIdx.x), column);
}

template <typename Body>
void each_of_row(int64_t rows, int64_t width, cudaStream_t stream, Body body) {
  if (rows == 0 || width == 0) return;
  launch(each_of_row_kernel<Body>, dim3(static_cast<unsigned int>(rows), blocks_for(width, kBlock)), kBlock, stream, width, body);
}

struct Add {
  float* x;
  const float* y;
  __device__ void operator()(int64_t i) const { x[i] += y[i]; }
};

struct AddBias {
  float* x;
  const float* bias;
  int64_t width;
  __device__ void operator()(int64_t row, int j) const { x[row * width + j] += bias[j]; }
};

struct AddScaledRows {
  float* x;
  const float *vector, *strengths;
  int64_t width;
  __device__ void operator()(int64_t row, int j) const { x[row * width + j] += strengths[row] * vector[j]; }
};

/// to: may be gate.
template <typename Out>
struct SiluGate {
  const float *gate, *up;
  Out* to;
  __device__ void operator()(int64_t i) const { store(&to[i], gate[i] / (1.0f + expf(-gate[i])) * up[i]); }
};

__device__ inline float gelu_tanh_of(float z) {
  // ½ (1 + tanh y) = 1 / (1 + e^(−2y))
  const float y = 0.797884561f * (z + 0.044715f * z * z * z);
  return z / (1.0f + expf(-2.0f * y));
}

template <typename Out>
struct GeluGate {
  const float *gate, *up;
  Out* to;
  __device__ void operator()(int64_t i) const { store(&to[i], gelu_tanh_of(gate[i]) * up[i]); }
};

struct Gelu {
  float* x;
  __device__ void operator()(int64_t i) const { x[i] = gelu_tanh_of(x[i]); }
};

struct SoftCap {
  float* x;
  float cap;
  __device__ void operator()(int64_t i) const { x[i] = cap * tanhf(x[i] / cap); }
};

/// pair: of a row's [heads, half].
struct Rotary {
  float* x;
  const float* table;
  const int32_t* positions;
  int64_t heads, head_dim;
  int half;
  __device__ void operator()(int64_t row, int pair) const {
    const int at = pair % half, head = pair / half;
    const float* angle = table + int64_t{positions[row]} * 2 * half;
    float* a = x + (row * heads + head) * head_dim + at;
    const float first = a[0], second = a[half], cosine = angle[at], sine = angle[half + at];
    a[0] = first * cosine - second * sine;
    a[half] = second * cosine + first * sine;
  }
};

struct Round {
  const float* x;
  uint16_t* y;
  __device__ void operator()(int64_t i) const { y[i] = f32_to_bf16(x[i]); }
};

struct WidenBf16 {
  const uint16_t* x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] = bf16_to_f32(x[i]); }
};

struct WidenF16 {
  const uint16_t* x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] = f16_to_f32(x[i]); }
};

struct GatherRows {
  const float* from;
  const int32_t* rows;
  float* to;
  int64_t width;
  __device__ void operator()(int64_t i, int j) const { to[i * width + j] = from[rows[i] * width + j]; }
};

struct GatherValues {
  const float* x;
  const int32_t *rows, *columns;
  float* to;
  int64_t width;
  __device__ void operator()(int64_t i) const { to[i] = x[rows[i] * width + columns[i]]; }
};

struct AddWeightedRows {
  float* to;
  const int32_t* rows;
  const float *weights, *from;
  int64_t width;
  __device__ void operator()(int64_t i, int j) const { to[rows[i] * width + j] += weights[i] * from[i * width + j]; }
};

}  // namespace

// ---- launchers ----

void add(float* x, const float* y, int64_t count, cudaStream_t stream) { each(count, stream, Add{x, y}); }

void add_bias(float* x, const float* bias, int64_t rows, int64_t width, cudaStream_t stream) {
  each_of_row(rows, width, stream, AddBias{x, bias, width});
}

void add_scaled_rows(float* x, const float* vector, const float* strengths, int64_t rows, int64_t width,
                     cudaStream_t stream) {
  each_of_row(rows, width, stream, AddScaledRows{x, vector, strengths, width});
}

void silu_gate(float* gate, const float* up, int64_t count, cudaStream_t stream) {
  each(count, stream, SiluGate<float>{gate, up, gate});
}

void silu_gate(const float* gate, const float* up, uint16_t* to, int64_t count, cudaStream_t stream) {
  each(count, stream, SiluGate<uint16_t>{gate, up, to});
}

void gelu_tanh_gate(float* gate, const float* up, int64_t count, cudaStream_t stream) {
  each(count, stream, GeluGate<float>{gate, up, gate});
}

void gelu_tanh_gate(const float* gate, const float* up, uint16_t* to, int64_t count, cudaStream_t stream) {
  each(count, stream, GeluGate<uint16_t>{gate, up, to});
}

void gelu_tanh(float* x, int64_t count, cudaStream_t stream) { each(count, stream, Gelu{x}); }

void soft_cap(float* x, int64_t count, float cap, cudaStream_t stream) { each(count, stream, SoftCap{x, cap}); }

void apply_rotary(float* x, const float* table, const int32_t* positions, int64_t rows, int64_t heads, int64_t head_dim,
                  int64_t half, cudaStream_t stream) {
  each_of_row(rows, heads * half, stream, Rotary{x, table, positions, heads, head_dim, static_cast<int>(half)});
}

void round_to_bf16(const float* x, uint16_t* y, int64_t count, cudaStream_t stream) { each(count, stream, Round{x, y}); }

void widen(const void* x, DType dtype, float* y, int64_t count, cudaStream_t stream) {
  const auto* halves = static_cast<const uint16_t*>(x);
  if (dtype == DType::bf16) {
    each(count, stream, WidenBf16{halves, y});
  } else {
    each(count, stream, WidenF16{halves, y});
  }
}

void gather_rows(const float* from, const int32_t* rows, float* to, int64_t count, int64_t width, cudaStream_t stream) {
  each_of_row(count, width, stream, GatherRows{from, rows, to, width});
}

void gather_values(const float* x, int64_t width, const int32_t* rows, const int32_t* columns, float* to, int64_t count,
                   cudaStream_t stream) {
  each(count, stream, GatherValues{x, rows, columns, to, width});
}

void add_weighted_rows(float* to, const int32_t* rows, const float* weights, const float* from, int64_t count,
                       int64_t width, cudaStream_t stream) {
  each_of_row(count, width, stream, AddWeightedRows{to, rows, weights, from, width});
}

}  // namespace deltascope::cuda
