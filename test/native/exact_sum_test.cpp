#include "core/exact_sum.h"

#include <algorithm>

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

TEST_CASE("FixedSum holds a float32 exactly down to 2^-60 and rounds half to even below") {
  CHECK(FixedSum::to_units(1.0f) == static_cast<int128>(1) << 60);
  CHECK(FixedSum::to_units(-0x1p-60f) == -1);
  CHECK(FixedSum::to_units(0x1p-61f) == 0);    // a tie, to even
  CHECK(FixedSum::to_units(0x1.8p-60f) == 2);  // 1.5, a tie, to even
  CHECK(FixedSum::to_units(0x1.8p-61f) == 1);  // 0.75
  CHECK(FixedSum::to_units(-0x1.8p-61f) == -1);
  CHECK(FixedSum::to_units(0x1p-149f) == 0);
  CHECK(FixedSum::to_units(0.0f) == 0);
  for (const float x : {1.0f, -3.25f, 0x1.fffffep36f, 1e-9f, 123456.789f, -0x1p37f}) {
    CHECK(FixedSum::to_double(FixedSum::to_units(x)) == static_cast<double>(x));
  }
  CHECK(FixedSum::fits(0x1p37f));
  CHECK_FALSE(FixedSum::fits(0x1.1p37f));
  CHECK_FALSE(FixedSum::fits(NAN));
  CHECK_FALSE(FixedSum::fits(-INFINITY));
}

TEST_CASE("FixedSum does not cancel and does not depend on order") {
  FixedSum sum;
  sum.add(0x1p30f, 1);
  sum.add(1e-9f, 3);
  sum.add(-0x1p30f, 1);
  CHECK(FixedSum::to_double(sum.units) == doctest::Approx(3 * static_cast<double>(1e-9f)).epsilon(1e-15));

  auto values = random_floats(5000, 1, 100);
  FixedSum forward, backward;
  for (const float x : values) forward.add(x, 1);
  std::reverse(values.begin(), values.end());
  for (const float x : values) backward.add(x, 1);
  CHECK(forward.units == backward.units);
}

TEST_CASE("FixedSum converts to the nearest double") {
  const int128 odd =
      (static_cast<int128>(1) << 100) + (static_cast<int128>(1) << 47) + 1;  // just above a tie
  CHECK(FixedSum::to_double(odd) == std::ldexp(1.0 + 0x1p-52, 40));
  CHECK(FixedSum::to_double(-odd) == -std::ldexp(1.0 + 0x1p-52, 40));
  const int128 tie = (static_cast<int128>(1) << 100) + (static_cast<int128>(1) << 47);
  CHECK(FixedSum::to_double(tie) == std::ldexp(1.0, 40));  // to even
}

TEST_CASE("ExactSum adds doubles of all magnitudes exactly") {
  ExactSum sum;
  for (const double x : {1e300, 1.0, -1e300, 1e-300, -1.0}) sum.add(x);
  CHECK(sum.total() == 1e-300);
  sum.add(-1e-300);
  CHECK(sum.total() == 0);
  sum.add(-2.5, 4);
  CHECK(sum.total() == -10);
  sum.add(0x1p-1074, 3);
  sum.add(10);
  CHECK(sum.total() == 3 * 0x1p-1074);
}

TEST_CASE("ExactSum is the same in any order and however it is split") {
  std::mt19937_64 bits(7);
  std::vector<double> values;
  for (int i = 0; i < 3000; ++i)
    values.push_back(
        std::ldexp(static_cast<double>(static_cast<int64_t>(bits())), static_cast<int>(bits() % 200) - 160));
  ExactSum whole, left, right;
  for (size_t i = 0; i < values.size(); ++i) {
    whole.add(values[i], 3);
    (i % 7 < 3 ? left : right).add(values[i], 3);
  }
  std::shuffle(values.begin(), values.end(), bits);
  ExactSum shuffled;
  for (const double x : values) shuffled.add(x, 3);
  left.merge(right);
  CHECK(shuffled.total() == whole.total());
  CHECK(left.total() == whole.total());
  long double plain = 0;
  for (const double x : values) plain += 3 * static_cast<long double>(x);
  CHECK(whole.total() == doctest::Approx(static_cast<double>(plain)).epsilon(1e-12));
}

TEST_CASE("ExactSum remembers what is not finite") {
  ExactSum sum;
  sum.add(INFINITY);
  sum.add(-INFINITY);
  CHECK(std::isnan(sum.total()));
  ExactSum other;
  other.add(1);
  other.merge(sum);
  CHECK(std::isnan(other.total()));
}
