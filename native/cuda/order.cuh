#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "cuda/logit_kernels.h"
#include "decode/sampling.h"

namespace deltascope::cuda {

inline constexpr uint32_t kNoKey = 0xffffffffu;  // a NaN's bits, which no value has as its key

/// A number that is ordered as the values are. Both zeros have one; NaN has 0, before all others.
__device__ inline uint32_t key_of(float value) {
  if (value != value) return 0;
  const auto bits = std::bit_cast<uint32_t>(value == 0 ? 0.0f : value);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

__device__ inline float value_of(uint32_t key) { return std::bit_cast<float>((key >> 31) != 0 ? key & 0x7fffffffu : ~key); }

/// What a value of a row weighs. Its key is above 0.
__device__ inline uint64_t mass_of(const Mass& mass, int64_t row, uint32_t key) {
  if (mass.within != nullptr && key < mass.within[row].key) return 0;
  if (mass.largest == nullptr) return 1;
  const double exponent = (static_cast<double>(value_of(key)) - mass.largest[row].value) / mass.temperature;
  if (!(exponent <= 0)) return 0;  // in a row that is not finite
  return static_cast<uint64_t>(exp(exponent) * kWeightUnit + 0.5);
}

}  // namespace deltascope::cuda
