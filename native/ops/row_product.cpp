#include "ops/row_product.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "core/simd.h"
#include "core/team.h"

namespace deltascope {
namespace {

#define DELTASCOPE_INLINE inline __attribute__((always_inline))

// Sixteen lanes on every machine; narrower registers hold them in parts, so that the sums are cut alike. A
// step takes two weights a lane: of 16 bits each, they are the two halves of a lane, which a shift and a mask
// widen; so x is dealt out in the same order beforehand.
constexpr int64_t kLanes = 16, kStep = 2 * kLanes;
typedef float Floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t Bits __attribute__((vector_size(64), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(64), aligned(4)));

/// float16 bits, in the low half of each lane. Subnormals go through whole numbers: products with them would
/// be slow.
DELTASCOPE_INLINE void widen_f16(const Bits& halves, Floats& out) {
  const Bits body = halves & 0x7fff, exponent = halves & 0x7c00;
  const Bits special = reinterpret_cast<Bits>(exponent == 0x7c00) & (112u << 23);
  const Bits normal = (body << 13) + (112u << 23) + special;
  const Bits small =
      reinterpret_cast<Bits>(__builtin_convertvector(reinterpret_cast<Ints>(body), Floats) * 0x1p-24f);
  const Bits is_small = reinterpret_cast<Bits>(exponent == 0);
  out = reinterpret_cast<Floats>((is_small & small) | (~is_small & normal) | ((halves & 0x8000) << 16));
}

/// kStep weights.
template <DType dtype>
DELTASCOPE_INLINE void load(const uint8_t* from, Floats& first, Floats& second) {
  if constexpr (dtype == DType::f32) {
    std::memcpy(&first, from, sizeof(Floats));
    std::memcpy(&second, from + sizeof(Floats), sizeof(Floats));
  } else {
    Bits pairs;
    std::memcpy(&pairs, from, sizeof(Bits));
    if constexpr (dtype == DType::bf16) {
      first = reinterpret_cast<Floats>(pairs << 16);
      second = reinterpret_cast<Floats>(pairs & 0xffff0000u);
    } else {
      widen_f16(pairs & 0xffffu, first);
      widen_f16(pairs >> 16, second);
    }
  }
}

/// Up to kStep values in the order of the weights' lanes.
inline void deal(const float* from, int64_t count, bool halves, float* to) {
  if (halves && count == kStep) {
    for (int64_t i = 0; i < kLanes; ++i) to[i] = from[2 * i], to[i + kLanes] = from[2 * i + 1];
  } else {
    for (int64_t i = 0; i < count; ++i) to[halves ? i / 2 + i % 2 * kLanes : i] = from[i];
  }
}

/// Rows of x in groups that a tile takes together, step by step: of each row kStep values in the order of the
/// weights' lanes, padded with zeros.
struct Dealt {
  std::vector<float> values;
  int64_t rows, steps;
  int most;  // rows of a group; the last ones may be of 2 and 1

  Dealt(const float* x, int64_t stride, int64_t rows, int64_t in, bool halves, int most)
      : values(static_cast<size_t>(rows * ((in + kStep - 1) / kStep) * kStep)),
        rows(rows),
        steps((in + kStep - 1) / kStep),
        most(most) {
    for (int64_t first = 0, size = 0; first < rows; first += size) {
      size = group(first);
      for (int64_t b = 0; b < size; ++b) {
        const float* from = x + (first + b) * stride;
        for (int64_t step = 0; step < steps; ++step) {
          float* to = values.data() + (first * steps + step * size + b) * kStep;
          deal(from + step * kStep, std::min(kStep, in - step * kStep), halves, to);
        }
      }
    }
  }

  /// Rows of the group that begins at this row.
  int64_t group(int64_t first) const {
    int64_t size = most;
    while (size > rows - first) size /= 2;
    return size;
  }
  const float* at(int64_t first) const { return values.data() + first * steps * kStep; }
};

DELTASCOPE_INLINE float add_up(const Floats& lanes) {
  float sums[kLanes];
  std::memcpy(sums, &lanes, sizeof(lanes));
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

/// Rows between those at work and those that are fetched meanwhile, in the order in which they lie: a
/// processor alone does not follow several short rows at once.
constexpr int64_t kAhead = 16;

/// W rows of weights by X rows of x, all sums in registers. Ahead: later rows are fetched meanwhile.
template <DType dtype, int W, int X, bool Ahead>
DELTASCOPE_INLINE void tile(const uint8_t* w, int64_t in, const float* x, float* y, int64_t y_stride) {
  constexpr int64_t width = dtype == DType::f32 ? 4 : 2;
  const int64_t row = in * width, whole = in / kStep;
  Floats sums[W][X] = {};
  const auto multiply = [&](const uint8_t* const* from, const float* values) __attribute__((always_inline)) {
    Floats first[X], second[X];
    for (int b = 0; b < X; ++b) {
      std::memcpy(&first[b], values + b * kStep, sizeof(Floats));
      std::memcpy(&second[b], values + b * kStep + kLanes, sizeof(Floats));
    }
    for (int a = 0; a < W; ++a) {
      Floats low, high;
      load<dtype>(from[a], low, high);
      for (int b = 0; b < X; ++b) sums[a][b] += low * first[b];
      for (int b = 0; b < X; ++b) sums[a][b] += high * second[b];
    }
  };
  for (int64_t step = 0; step < whole; ++step) {
    const uint8_t* from[W];
    for (int a = 0; a < W; ++a) {
      from[a] = w + a * row + step * kStep * width;
      if constexpr (Ahead) {
        const uint8_t* later = w + kAhead * row + (step * W + a) * kStep * width;
        __builtin_prefetch(later);
        if constexpr (dtype == DType::f32) __builtin_prefetch(later + 64);
      }
    }
    multiply(from, x + step * X * kStep);
  }
  if (whole * kStep < in) {  // the rest, padded with zeros
    uint8_t padded[W][kStep * width] = {};
    const uint8_t* from[W];
    for (int a = 0; a < W; ++a) {
      std::memcpy(padded[a], w + a * row + whole * kStep * width,
                  static_cast<size_t>((in - whole * kStep) * width));
      from[a] = padded[a];
    }
    multiply(from, x + whole * X * kStep);
  }
  for (int a = 0; a < W; ++a) {
    for (int b = 0; b < X; ++b) y[b * y_stride + a] = add_up(sums[a][b]);
  }
}

/// W rows of weights by all rows of x; y: where the first result goes.
template <DType dtype, int W, bool Ahead>
DELTASCOPE_INLINE void all_rows(const uint8_t* w, int64_t in, const Dealt& x, float* y, int64_t y_stride) {
  const auto run = [&](int64_t first, auto ahead) __attribute__((always_inline)) {
    float* to = y + first * y_stride;
    switch (x.group(first)) {
      case 4:
        tile<dtype, W, 4, ahead.value>(w, in, x.at(first), to, y_stride);
        break;
      case 2:
        tile<dtype, W, 2, ahead.value>(w, in, x.at(first), to, y_stride);
        break;
      default:
        tile<dtype, W, 1, ahead.value>(w, in, x.at(first), to, y_stride);
    }
  };
  run(0, std::bool_constant<Ahead>{});
  for (int64_t first = x.group(0); first < x.rows; first += x.group(first)) run(first, std::false_type{});
}

/// `count` rows of weights by all rows of x.
template <DType dtype>
DELTASCOPE_INLINE void panel(const uint8_t* w, int64_t in, int64_t count, const Dealt& x, float* y,
                             int64_t y_stride) {
  const int64_t row = in * (dtype == DType::f32 ? 4 : 2);
  int64_t a = 0;
  if (x.most == 4) {
    for (; a + 4 <= count; a += 4) all_rows<dtype, 4, true>(w + a * row, in, x, y + a, y_stride);
  } else {
    for (; a + 2 <= count; a += 2) all_rows<dtype, 2, true>(w + a * row, in, x, y + a, y_stride);
  }
  for (; a < count; ++a) all_rows<dtype, 1, false>(w + a * row, in, x, y + a, y_stride);
}

DELTASCOPE_SIMD void panel_f32(const uint8_t* w, int64_t in, int64_t count, const Dealt& x, float* y,
                               int64_t y_stride) {
  panel<DType::f32>(w, in, count, x, y, y_stride);
}
DELTASCOPE_SIMD void panel_f16(const uint8_t* w, int64_t in, int64_t count, const Dealt& x, float* y,
                               int64_t y_stride) {
  panel<DType::f16>(w, in, count, x, y, y_stride);
}
DELTASCOPE_SIMD void panel_bf16(const uint8_t* w, int64_t in, int64_t count, const Dealt& x, float* y,
                                int64_t y_stride) {
  panel<DType::bf16>(w, in, count, x, y, y_stride);
}

/// Whether the sums of 4 by 4 rows fit into registers.
bool has_many_registers() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx512f");
  return has;
#else
  return false;
#endif
}

}  // namespace

void row_product(const RowMatrix& w, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                 int64_t rows, const Job& job) {
  if (rows == 0) return;
  // Long panels: what is fetched ahead at the end of one may belong to another thread.
  const int64_t panel = std::clamp<int64_t>(w.out() / (4 * parallel_threads()) / 4 * 4, 32, 256);
  const Dealt dealt(x, x_stride, rows, w.in(), w.dtype() != DType::f32, has_many_registers() ? 4 : 2);
  parallel_ranges(w.out(), panel, [&](int64_t first, int64_t end) {
    if (job.cancelled.load(std::memory_order_relaxed)) return;
    switch (w.dtype()) {
      case DType::bf16:
        return panel_bf16(w.row(first), w.in(), end - first, dealt, y + first, y_stride);
      case DType::f16:
        return panel_f16(w.row(first), w.in(), end - first, dealt, y + first, y_stride);
      default:
        return panel_f32(w.row(first), w.in(), end - first, dealt, y + first, y_stride);
    }
  });
  job.throw_if_cancelled();
}

}  // namespace deltascope
