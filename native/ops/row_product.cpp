#include "ops/row_product.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/simd.h"

namespace deltascope {
namespace {

#define DELTASCOPE_INLINE inline __attribute__((always_inline))

// Sixteen lanes on every machine; narrower registers hold them in parts, so that the sums are cut alike.
constexpr int64_t kLanes = 16;
typedef float Floats __attribute__((vector_size(64), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(64), aligned(4)));
typedef uint16_t Halves __attribute__((vector_size(32), aligned(2)));

template <DType dtype>
DELTASCOPE_INLINE void load_widened(const uint8_t* from, Floats& out) {
  if constexpr (dtype == DType::f32) {
    std::memcpy(&out, from, sizeof(Floats));
  } else {
    Halves halves;
    std::memcpy(&halves, from, sizeof(Halves));
    const Ints bits = __builtin_convertvector(halves, Ints);
    if constexpr (dtype == DType::bf16) {
      out = reinterpret_cast<Floats>(bits << 16);
    } else {
      // Subnormals go through whole numbers: products with them would be slow.
      const Ints body = bits & 0x7fff, exponent = bits & 0x7c00;
      const Ints special = (exponent == 0x7c00) & (112 << 23);
      const Ints normal = (body << 13) + (112 << 23) + special;
      const Ints small = reinterpret_cast<Ints>(__builtin_convertvector(body, Floats) * 0x1p-24f);
      const Ints is_small = exponent == 0;
      out = reinterpret_cast<Floats>((is_small & small) | (~is_small & normal) | ((bits & 0x8000) << 16));
    }
  }
}

DELTASCOPE_INLINE float add_up(const Floats& lanes) {
  float sums[kLanes];
  std::memcpy(sums, &lanes, sizeof(lanes));
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

/// W rows of w by X rows of x, all sums in registers.
template <DType dtype, int W, int X>
DELTASCOPE_INLINE void tile(const uint8_t* w, int64_t in, const float* x, int64_t x_stride, float* y,
                            int64_t y_stride) {
  const int64_t width = dtype == DType::f32 ? 4 : 2, row = in * width, whole = in / kLanes * kLanes;
  Floats sums[W][X] = {};
  for (int64_t k = 0; k < whole; k += kLanes) {
    Floats values[X];
    for (int b = 0; b < X; ++b) std::memcpy(&values[b], x + b * x_stride + k, sizeof(Floats));
    for (int a = 0; a < W; ++a) {
      Floats weights;
      load_widened<dtype>(w + a * row + k * width, weights);
      for (int b = 0; b < X; ++b) sums[a][b] += weights * values[b];
    }
  }
  if (whole < in) {  // the rest, padded with zeros
    const auto left = static_cast<size_t>(in - whole);
    Floats values[X] = {};
    for (int b = 0; b < X; ++b) std::memcpy(&values[b], x + b * x_stride + whole, left * sizeof(float));
    for (int a = 0; a < W; ++a) {
      uint8_t padded[sizeof(Floats)] = {};
      std::memcpy(padded, w + a * row + whole * width, left * static_cast<size_t>(width));
      Floats weights;
      load_widened<dtype>(padded, weights);
      for (int b = 0; b < X; ++b) sums[a][b] += weights * values[b];
    }
  }
  for (int a = 0; a < W; ++a) {
    for (int b = 0; b < X; ++b) y[b * y_stride + a] = add_up(sums[a][b]);
  }
}

struct Rows {
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  int64_t count;
};

template <DType dtype, int W>
DELTASCOPE_INLINE void all_rows(const uint8_t* w, int64_t in, const Rows& rows, int64_t column) {
  int64_t b = 0;
  const auto x = [&] { return rows.x + b * rows.x_stride; };
  const auto y = [&] { return rows.y + b * rows.y_stride + column; };
  for (; b + 4 <= rows.count; b += 4) tile<dtype, W, 4>(w, in, x(), rows.x_stride, y(), rows.y_stride);
  if (b + 2 <= rows.count) {
    tile<dtype, W, 2>(w, in, x(), rows.x_stride, y(), rows.y_stride);
    b += 2;
  }
  if (b < rows.count) tile<dtype, W, 1>(w, in, x(), rows.x_stride, y(), rows.y_stride);
}

/// Rows of w from `w` on, and all of x; `column`: where the first one's results go.
template <DType dtype>
DELTASCOPE_INLINE void panel(const uint8_t* w, int64_t in, int64_t count, const Rows& rows, int64_t column) {
  const int64_t row = in * (dtype == DType::f32 ? 4 : 2);
  int64_t a = 0;
  for (; a + 4 <= count; a += 4) all_rows<dtype, 4>(w + a * row, in, rows, column + a);
  for (; a < count; ++a) all_rows<dtype, 1>(w + a * row, in, rows, column + a);
}

DELTASCOPE_SIMD void panel_f32(const uint8_t* w, int64_t in, int64_t count, const Rows& rows,
                               int64_t column) {
  panel<DType::f32>(w, in, count, rows, column);
}
DELTASCOPE_SIMD void panel_f16(const uint8_t* w, int64_t in, int64_t count, const Rows& rows,
                               int64_t column) {
  panel<DType::f16>(w, in, count, rows, column);
}
DELTASCOPE_SIMD void panel_bf16(const uint8_t* w, int64_t in, int64_t count, const Rows& rows,
                                int64_t column) {
  panel<DType::bf16>(w, in, count, rows, column);
}

}  // namespace

void row_product(const RowMatrix& w, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                 int64_t rows, const Job& job) {
  constexpr int64_t kPanel = 32;
  const Rows all = {x, x_stride, y, y_stride, rows};
#pragma omp parallel for schedule(dynamic)
  for (int64_t first = 0; first < w.out(); first += kPanel) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    const int64_t count = std::min(kPanel, w.out() - first);
    switch (w.dtype()) {
      case DType::bf16:
        panel_bf16(w.row(first), w.in(), count, all, first);
        break;
      case DType::f16:
        panel_f16(w.row(first), w.in(), count, all, first);
        break;
      default:
        panel_f32(w.row(first), w.in(), count, all, first);
    }
  }
  job.throw_if_cancelled();
}

}  // namespace deltascope
