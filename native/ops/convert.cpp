#include "ops/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/errors.h"
#include "core/simd.h"

namespace deltascope {
namespace {

template <typename Bits>
Bits load(const uint8_t* source, int64_t index) {
  Bits bits;
  std::memcpy(&bits, source + index * static_cast<int64_t>(sizeof(Bits)), sizeof(Bits));
  return bits;
}

DELTASCOPE_SIMD void widen_bf16(const uint8_t* source, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = bf16_to_f32(load<uint16_t>(source, i));
}

DELTASCOPE_SIMD void widen_f16(const uint8_t* source, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = f16_to_f32(load<uint16_t>(source, i));
}

DELTASCOPE_SIMD void round_here(const float* values, uint16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = f32_to_bf16(values[i]);
}

DELTASCOPE_SIMD void round_here(const float* values, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = bf16_to_f32(f32_to_bf16(values[i]));
}

DELTASCOPE_SIMD int64_t count_here(const float* values, int64_t count) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i)
    found += (std::bit_cast<uint32_t>(values[i]) & 0x7f800000u) == 0x7f800000u;
  return found;
}

template <typename Bits>
int64_t count_ones(const uint8_t* values, Bits exponent, int64_t count) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) found += (load<Bits>(values, i) & exponent) == exponent;
  return found;
}

}  // namespace

int64_t count_not_finite(const uint8_t* values, DType dtype, int64_t count) {
  if (dtype == DType::f32) return count_ones<uint32_t>(values, 0x7f800000u, count);
  return count_ones<uint16_t>(values, dtype == DType::bf16 ? 0x7f80 : 0x7c00, count);
}

void convert_to_f32(std::span<const uint8_t> source, DType dtype, float* out, int64_t count) {
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
    throw Error(Code::invalid_weights,
                "[convert] F32, F16 or BF16 is expected, not " + std::string(container_name(dtype)));
  }
  constexpr int64_t kPiece = 1 << 16;
  const int64_t width = size_of(dtype);
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const int64_t here = std::min(kPiece, count - begin);
    const uint8_t* from = source.data() + begin * width;
    if (dtype == DType::bf16) {
      widen_bf16(from, out + begin, here);
    } else if (dtype == DType::f16) {
      widen_f16(from, out + begin, here);
    } else {
      std::memcpy(out + begin, from, static_cast<size_t>(here * width));
    }
  }
}

void round_to_bf16(const float* x, int64_t stride, uint16_t* out, int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) round_here(x + i * stride, out + i * width, width);
}

void round_to_bf16(const float* x, int64_t stride, float* out, int64_t rows, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) round_here(x + i * stride, out + i * width, width);
}

int64_t count_not_finite(const float* values, int64_t count) {
  constexpr int64_t kPiece = 1 << 16;
  int64_t found = 0;
#pragma omp parallel for schedule(static) reduction(+ : found)
  for (int64_t begin = 0; begin < count; begin += kPiece)
    found += count_here(values + begin, std::min(kPiece, count - begin));
  return found;
}

}  // namespace deltascope
