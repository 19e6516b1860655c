#pragma once

#include <bit>
#include <cstdint>

namespace deltascope {

/// e^x in float32 to within 2 units in the last place, without branches, so that loops over it vectorise (the
/// C library's does not). Below −87.3 it gives about 1.2e-38, above 88.3 about 2.2e38; NaN stays NaN. Method:
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2, and the Taylor polynomial of degree 7 for e^r (remainder < 6e-9).
inline float fast_exp(float x) {
  const float clamped = x < -87.3f ? -87.3f : (x > 88.3f ? 88.3f : x);
  // Adding and taking away 1.5·2^23 rounds to the nearest whole number.
  const float shifted = clamped * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693145752f) - n * 1.42860677e-6f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t bits = (std::bit_cast<uint32_t>(shifted) - 0x4b400000u + 127u) << 23;
  const float result = p * std::bit_cast<float>(bits);
  return x == x ? result : x;
}

/// The same in float64, to within 2 units in the last place, for x from −708 to 709; beyond, as at these. The Taylor polynomial
/// has degree 12 (remainder < 2e-16).
inline double fast_exp(double x) {
  const double clamped = x < -708.0 ? -708.0 : (x > 709.0 ? 709.0 : x);
  const double shifted = clamped * 1.4426950408889634 + 6755399441055744.0;  // 1.5·2^52
  const double n = shifted - 6755399441055744.0;
  const double r = (clamped - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  double p = 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const uint64_t bits = (std::bit_cast<uint64_t>(shifted) - 0x4338000000000000u + 1023u) << 52;
  const double result = p * std::bit_cast<double>(bits);
  return x == x ? result : x;
}

}  // namespace deltascope
