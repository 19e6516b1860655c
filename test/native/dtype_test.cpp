#include "core/dtype.h"

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

/// binary16 by its definition: (−1)^s · 2^(e−15) · 1.m, and 2^−14 · 0.m below.
float half_by_definition(uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 1023;
  const double sign = (half & 0x8000) ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : static_cast<float>(sign * INFINITY);
  const double value = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(sign * value);
}

}  // namespace

TEST_CASE("every float16 widens to its value") {
  int64_t wrong = 0;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float actual = f16_to_f32(static_cast<uint16_t>(bits)),
                expected = half_by_definition(static_cast<uint16_t>(bits));
    const bool same = std::isnan(expected) ? std::isnan(actual) : std::memcmp(&actual, &expected, 4) == 0;
    wrong += !same;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bulk widening gives the same values from an unaligned source, whatever the count") {
  for (const int64_t count : {0, 1, 7, 33, 70'000}) {
    std::vector<uint8_t> bytes(static_cast<size_t>(2 * count + 1));
    std::mt19937 random(1);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    for (const DType dtype : {DType::f16, DType::bf16}) {
      std::vector<float> wide(static_cast<size_t>(count));
      convert_to_f32(std::span<const uint8_t>(bytes).subspan(1), dtype, wide.data(), count);
      int64_t wrong = 0;
      for (int64_t i = 0; i < count; ++i) {
        uint16_t bits;
        std::memcpy(&bits, bytes.data() + 1 + 2 * i, 2);
        const float expected = dtype == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
        wrong += std::memcmp(&wide[static_cast<size_t>(i)], &expected, 4) != 0 && !std::isnan(expected);
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("values that are not finite are counted") {
  const std::vector<float> values = {1, NAN, -INFINITY, 3e38f, INFINITY, -0.0f};
  CHECK(count_not_finite(values.data(), static_cast<int64_t>(values.size())) == 3);
}
