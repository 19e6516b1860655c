// The small operations, each against its definition in float64.
#include <algorithm>
#include <numeric>

#include "ops/activation.h"
#include "ops/rms_norm.h"
#include "models/rotary_table.h"
#include "ops/rotary.h"
#include "ops/top_k.h"
#include "ops/tree_attention.h"
#include "ops/vector_math.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

TEST_CASE("fast_exp is within two units in the last place over its range, and keeps NaN") {
  double worst = 0;
  for (float x = -87.0f; x < 88.0f; x += 0.00037f) {
    const double exact = std::exp(static_cast<double>(x));
    const float rounded = static_cast<float>(exact);
    const double unit = static_cast<double>(std::nextafter(rounded, INFINITY)) - rounded;
    worst = std::max(worst, std::fabs(fast_exp(x) - exact) / unit);
  }
  MESSAGE("worst: " << worst << " ulp");
  CHECK(worst <= 2.0);
  CHECK(fast_exp(0.0f) == 1.0f);
  CHECK(std::isnan(fast_exp(NAN)));
  CHECK(fast_exp(-1000.0f) < 2e-38f);
  CHECK(fast_exp(-1000.0f) > 0);
  CHECK(fast_exp(1000.0f) > 1e38f);
}

TEST_CASE("silu_gate") {
  auto gate = random_floats(1001, 1, 8);
  const auto before = gate, up = random_floats(1001, 2);
  silu_gate(gate.data(), up.data(), 1001);
  std::vector<float> expected;
  for (size_t i = 0; i < gate.size(); ++i)
    expected.push_back(
        static_cast<float>(before[i] / (1 + std::exp(-static_cast<double>(before[i]))) * up[i]));
  CHECK(relative_l2(gate.data(), expected.data(), gate.size()) < 3e-7);
}

TEST_CASE("rms_norm, out of place and in place, with strides") {
  constexpr int64_t rows = 3, width = 70, stride = 75;
  auto x = random_floats(rows * stride, 1, 5);
  const auto gamma = random_floats(width, 2);
  std::vector<float> y(rows * width), expected(width);
  rms_norm(x.data(), stride, gamma.data(), 1e-5f, y.data(), width, rows, width);
  for (int64_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < width; ++j)
      squares += std::pow(static_cast<double>(x[static_cast<size_t>(i * stride + j)]), 2);
    for (int64_t j = 0; j < width; ++j) {
      expected[static_cast<size_t>(j)] =
          static_cast<float>(x[static_cast<size_t>(i * stride + j)] / std::sqrt(squares / width + 1e-5) *
                             gamma[static_cast<size_t>(j)]);
    }
    CHECK(relative_l2(&y[static_cast<size_t>(i * width)], expected.data(), width) < 2e-7);
  }
  rms_norm(x.data(), stride, gamma.data(), 1e-5f, x.data(), stride, rows, width);
  CHECK(std::memcmp(x.data(), y.data(), width * sizeof(float)) == 0);
}

TEST_CASE("rotary frequencies and the llama3 stretch") {
  const auto plain = rotary_frequencies(10000, 8);
  REQUIRE(plain.size() == 4);
  CHECK(plain[0] == 1.0f);
  CHECK(plain[1] == doctest::Approx(0.1));
  CHECK(plain[3] == doctest::Approx(0.001));
  auto scaled = plain;  // wavelengths 6.28, 62.8, 628, 6283 at an original context of 256
  scale_llama3(scaled, 8, 1, 4, 256);
  CHECK(scaled[0] == plain[0]);  // shorter than 64: as it was
  CHECK(scaled[1] == plain[1]);
  CHECK(scaled[2] == doctest::Approx(plain[2] / 8));  // longer than 256: divided
  CHECK(scaled[3] == doctest::Approx(plain[3] / 8));
  std::vector<float> between = {static_cast<float>(2 * M_PI / 128)};  // halfway: 256 / 128 = 2, smooth = 1/3
  scale_llama3(between, 8, 1, 4, 256);
  CHECK(between[0] == doctest::Approx((2.0 / 3 / 8 + 1.0 / 3) * 2 * M_PI / 128));
}

TEST_CASE("apply_rotary turns pairs by position times frequency") {
  constexpr int64_t heads = 2, head_dim = 6;
  const auto frequencies = rotary_frequencies(10000, head_dim);
  const std::vector<int32_t> positions = {0, 3, 3, 17};
  const auto before = random_floats(positions.size() * heads * head_dim, 1);
  auto x = before;
  apply_rotary(x.data(), heads * head_dim, positions, heads, head_dim, RotaryAngles(frequencies, 1, 3));
  for (size_t row = 0; row < positions.size(); ++row) {
    for (int64_t head = 0; head < heads; ++head) {
      const size_t at = row * heads * head_dim + static_cast<size_t>(head * head_dim);
      for (size_t i = 0; i < 3; ++i) {
        const double angle = static_cast<double>(positions[row]) * frequencies[i];
        CHECK(x[at + i] ==
              doctest::Approx(before[at + i] * std::cos(angle) - before[at + i + 3] * std::sin(angle))
                  .epsilon(1e-5));
        CHECK(x[at + i + 3] ==
              doctest::Approx(before[at + i + 3] * std::cos(angle) + before[at + i] * std::sin(angle))
                  .epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("tree_attention is causal attention along each path") {
  // 0 ─ 1 ─ 2
  //   └ 3 ─ 4 ─ 5        6 is a root of its own
  const std::vector<int32_t> parents = {-1, 0, 1, 0, 3, 4, -1};
  const std::vector<std::vector<int>> paths = {{0}, {0, 1}, {0, 1, 2}, {0, 3}, {0, 3, 4}, {0, 3, 4, 5}, {6}};
  AttentionShape shape{4, 2, 8, 0.3f, 0};
  const auto q = random_floats(7 * 32, 1), k = random_floats(7 * 16, 2), v = random_floats(7 * 16, 3);
  for (const int64_t window : {0, 1, 2, 3}) {
    shape.window = window;
    std::vector<float> out(q.size());
    tree_attention(q.data(), k.data(), v.data(), out.data(), parents, 0, 7, shape, Job());
    for (size_t node = 0; node < 7; ++node) {
      auto path = paths[node];
      if (window > 0 && static_cast<int64_t>(path.size()) > window)
        path.erase(path.begin(), path.end() - window);
      for (size_t head = 0; head < 4; ++head) {
        std::vector<double> weights;
        for (const int other : path) {
          double dot = 0;
          for (size_t i = 0; i < 8; ++i)
            dot += static_cast<double>(q[node * 32 + head * 8 + i]) *
                   k[static_cast<size_t>(other) * 16 + head / 2 * 8 + i];
          weights.push_back(std::exp(dot * 0.3f));
        }
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        std::vector<float> expected(8);
        for (size_t i = 0; i < 8; ++i) {
          double value = 0;
          for (size_t t = 0; t < path.size(); ++t)
            value += weights[t] / sum * v[static_cast<size_t>(path[t]) * 16 + head / 2 * 8 + i];
          expected[i] = static_cast<float>(value);
        }
        CHECK(relative_l2(&out[node * 32 + head * 8], expected.data(), 8) < 2e-6);
      }
    }
    // Rows asked for in the middle are those rows.
    std::vector<float> part(2 * 32);
    tree_attention(q.data() + 4 * 32, k.data(), v.data(), part.data(), parents, 4, 2, shape, Job());
    CHECK(std::memcmp(part.data(), &out[4 * 32], part.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("LogitReader finds both ends and their probabilities block by block") {
  const auto logits = random_floats(1000, 9, 3);
  LogitReader reader(5);
  for (int32_t first = 0; first < 1000; first += 300)
    reader.read(logits.data() + first, std::min(300, 1000 - first), first);

  std::vector<int32_t> order(1000);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  double up = 0, down = 0;
  for (const float z : logits)
    up += std::exp(static_cast<double>(z)), down += std::exp(-static_cast<double>(z));
  const auto top = reader.top(), bottom = reader.bottom();
  REQUIRE(top.size() == 5);
  REQUIRE(bottom.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    CHECK(top[i].first.id == order[i]);
    CHECK(top[i].second ==
          doctest::Approx(std::exp(static_cast<double>(logits[static_cast<size_t>(order[i])])) / up)
              .epsilon(1e-12));
    CHECK(bottom[i].first.id == order[999 - i]);
    CHECK(bottom[i].second ==
          doctest::Approx(std::exp(-static_cast<double>(logits[static_cast<size_t>(order[999 - i])])) / down)
              .epsilon(1e-12));
  }
}

TEST_CASE("LogitReader ranks equal logits by id, survives huge ones, and lets NaN spoil the probabilities") {
  LogitReader ties(3);
  const std::vector<float> same = {1, 1, 1, 1, 0};
  ties.read(same.data(), 5, 10);
  CHECK(ties.top()[0].first.id == 10);
  CHECK(ties.top()[2].first.id == 12);
  CHECK(ties.bottom()[0].first.id == 14);
  CHECK(ties.bottom()[1].first.id == 10);

  LogitReader huge(1);
  const std::vector<float> large = {-3e38f, 3e38f};
  huge.read(large.data(), 2, 0);
  CHECK(huge.top()[0].second == 1.0);

  LogitReader spoiled(2);
  const std::vector<float> bad = {NAN, 1};
  spoiled.read(bad.data(), 2, 0);
  REQUIRE(spoiled.top().size() == 1);
  CHECK(std::isnan(spoiled.top()[0].second));
}
