#include "diff/moments.h"

#include <algorithm>

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

constexpr int64_t kWidth = 70, kSamples = 301;

struct Data {
  std::vector<float> base = random_floats(kSamples * kWidth, 1, 10), finetuned = base;
  Data() {
    const auto change = random_floats(kSamples * kWidth, 2);
    for (size_t i = 0; i < finetuned.size(); ++i) finetuned[i] += change[i] + 0.5f;
  }
  Moments::Pair pair(int64_t sample, int64_t count = 1) const {
    const float *b = &base[static_cast<size_t>(sample * kWidth)],
                *f = &finetuned[static_cast<size_t>(sample * kWidth)];
    return {b,
            f,
            count,
            sample % 2 == 0 ? count : 0,
            row_norm(b, kWidth),
            row_norm(f, kWidth),
            squared_distance(b, f, kWidth)};
  }
};

std::vector<float> all_numbers(const Moments& m) {
  std::vector<float> numbers(3 * kWidth);
  m.mean_diff(numbers.data());
  m.mean_base(numbers.data() + kWidth);
  m.mean_finetuned(numbers.data() + 2 * kWidth);
  for (const double x :
       {m.base_norm_sum(), m.finetuned_norm_sum(), m.standard_error_norm(), m.split_half_cosine()})
    numbers.push_back(static_cast<float>(x));
  return numbers;
}

}  // namespace

TEST_CASE("statistics are those of two passes in float64") {
  const Data data;
  Moments m(kWidth);
  std::vector<Moments::Pair> pairs;
  for (int64_t i = 0; i < kSamples; ++i) pairs.push_back(data.pair(i));
  m.add(pairs);

  std::vector<double> mean(kWidth), even(kWidth), odd(kWidth);
  double norms = 0;
  for (int64_t i = 0; i < kSamples; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < kWidth; ++j) {
      const auto at = static_cast<size_t>(i * kWidth + j);
      const double difference = static_cast<double>(data.finetuned[at]) - data.base[at];
      mean[static_cast<size_t>(j)] += difference / kSamples;
      (i % 2 == 0 ? even : odd)[static_cast<size_t>(j)] +=
          difference / (i % 2 == 0 ? (kSamples + 1) / 2 : kSamples / 2);
      squares += static_cast<double>(data.base[at]) * data.base[at];
    }
    norms += std::sqrt(squares);
  }
  double variance = 0, dot = 0, even_square = 0, odd_square = 0;
  for (size_t j = 0; j < kWidth; ++j) {
    for (int64_t i = 0; i < kSamples; ++i) {
      const auto at = static_cast<size_t>(i) * kWidth + j;
      variance +=
          std::pow(static_cast<double>(data.finetuned[at]) - data.base[at] - mean[j], 2) / (kSamples - 1);
    }
    dot += even[j] * odd[j];
    even_square += even[j] * even[j];
    odd_square += odd[j] * odd[j];
  }
  std::vector<float> actual(kWidth);
  m.mean_diff(actual.data());
  for (size_t j = 0; j < kWidth; ++j) CHECK(actual[j] == doctest::Approx(mean[j]).epsilon(1e-6));
  CHECK(m.standard_error_norm() == doctest::Approx(std::sqrt(variance / kSamples)).epsilon(1e-9));
  CHECK(m.split_half_cosine() == doctest::Approx(dot / std::sqrt(even_square * odd_square)).epsilon(1e-9));
  CHECK(m.base_norm_sum() == doctest::Approx(norms).epsilon(1e-12));
  CHECK(m.samples() == kSamples);
  CHECK(m.not_finite() == 0);
}

TEST_CASE("order, batches, multiplicity and merging leave no trace, to the bit") {
  const Data data;
  std::vector<Moments::Pair> pairs;
  for (int64_t i = 0; i < kSamples; ++i) pairs.push_back(data.pair(i, 1 + i % 4));
  Moments whole(kWidth);
  whole.add(pairs);
  const auto expected = all_numbers(whole);
  const auto same = [&](const Moments& m) {
    return std::memcmp(all_numbers(m).data(), expected.data(), expected.size() * sizeof(float)) == 0;
  };

  Moments repeated(kWidth), left(kWidth), right(kWidth), shuffled(kWidth);
  for (int64_t i = 0; i < kSamples; ++i) {
    for (int64_t n = 0; n <= i % 4; ++n) {
      const auto one = data.pair(i);
      repeated.add({&one, 1});
    }
    (i % 3 == 0 ? left : right).add({&pairs[static_cast<size_t>(i)], 1});
  }
  CHECK(same(repeated));
  left.merge(right);
  CHECK(same(left));
  std::shuffle(pairs.begin(), pairs.end(), std::mt19937(5));
  for (size_t i = 0; i < pairs.size(); i += 50)
    shuffled.add(std::span(pairs).subspan(i, std::min<size_t>(50, pairs.size() - i)));
  CHECK(same(shuffled));
}

TEST_CASE("a constant difference has no standard error, and a tiny one beside huge activations is kept") {
  std::vector<float> base(kWidth, 4096.0f), finetuned(kWidth, 4096.0f);
  finetuned[0] = std::nextafter(4096.0f, 5000.0f);
  Moments m(kWidth);
  const Moments::Pair pair = {base.data(),
                              finetuned.data(),
                              1000,
                              500,
                              row_norm(base.data(), kWidth),
                              row_norm(finetuned.data(), kWidth),
                              squared_distance(base.data(), finetuned.data(), kWidth)};
  m.add({&pair, 1});
  std::vector<float> mean(kWidth);
  m.mean_diff(mean.data());
  CHECK(mean[0] == finetuned[0] - base[0]);
  CHECK(mean[1] == 0);
  CHECK(m.standard_error_norm() == 0);
  CHECK(m.split_half_cosine() == doctest::Approx(1));
}

TEST_CASE("what is not finite spoils its dimension and is counted") {
  std::vector<float> base(kWidth, 1.0f), finetuned(kWidth, 2.0f);
  base[3] = NAN;
  finetuned[3] = INFINITY;
  finetuned[4] = 0x1p40f;
  Moments m(kWidth);
  const Moments::Pair pair = {base.data(),
                              finetuned.data(),
                              5,
                              3,
                              row_norm(base.data(), kWidth),
                              row_norm(finetuned.data(), kWidth),
                              squared_distance(base.data(), finetuned.data(), kWidth)};
  m.add({&pair, 1});
  std::vector<float> mean(kWidth);
  m.mean_diff(mean.data());
  CHECK(mean[0] == 1.0f);
  CHECK(std::isnan(mean[3]));
  CHECK(std::isnan(mean[4]));
  CHECK(m.not_finite() == 15);
  CHECK(std::isnan(m.standard_error_norm()));
}

TEST_CASE("too few samples have no spread") {
  const Data data;
  Moments m(kWidth);
  CHECK(std::isnan(m.standard_error_norm()));
  CHECK(std::isnan(m.split_half_cosine()));
  const auto one = data.pair(0);
  m.add({&one, 1});
  CHECK(std::isnan(m.standard_error_norm()));
  CHECK(std::isnan(m.split_half_cosine()));
}

TEST_CASE("noise is what the mean diff becomes when samples change sides, in float64") {
  constexpr int64_t kSwaps = 5;
  const Data data;
  std::mt19937 random(7);
  std::vector<int32_t> signs(kSamples * kSwaps);
  for (int32_t& sign : signs) sign = random() % 2 == 0 ? 1 : -1;
  std::vector<Moments::Pair> pairs;
  for (int64_t i = 0; i < kSamples; ++i) {
    pairs.push_back(data.pair(i));
    pairs.back().signs = signs.data() + i * kSwaps;
  }
  Moments m(kWidth, kSwaps), first(kWidth, kSwaps), second(kWidth, kSwaps);
  m.add(pairs);
  first.add(std::span(pairs).first(100));
  second.add(std::span(pairs).subspan(100));
  first.merge(second);
  CHECK(first.swap_norms().mean == m.swap_norms().mean);
  CHECK(first.base_split_norm() == m.base_split_norm());

  double sum = 0, highest = 0;
  std::vector<double> norms;
  for (int64_t s = 0; s < kSwaps; ++s) {
    double square = 0;
    for (int64_t j = 0; j < kWidth; ++j) {
      double mean = 0;
      for (int64_t i = 0; i < kSamples; ++i) {
        const auto at = static_cast<size_t>(i * kWidth + j);
        mean += static_cast<double>(signs[static_cast<size_t>(i * kSwaps + s)]) *
                (static_cast<double>(data.finetuned[at]) - data.base[at]) / kSamples;
      }
      square += mean * mean;
    }
    norms.push_back(std::sqrt(square));
    sum += norms.back();
    highest = std::max(highest, norms.back());
  }
  double spread = 0;
  for (const double norm : norms) spread += (norm - sum / kSwaps) * (norm - sum / kSwaps);
  CHECK(m.swap_norms().mean == doctest::Approx(sum / kSwaps).epsilon(1e-9));
  CHECK(m.swap_norms().highest == doctest::Approx(highest).epsilon(1e-9));
  CHECK(m.swap_norms().deviation == doctest::Approx(std::sqrt(spread / (kSwaps - 1))).epsilon(1e-9));

  double split = 0;
  for (int64_t j = 0; j < kWidth; ++j) {
    double even = 0, odd = 0;
    for (int64_t i = 0; i < kSamples; ++i) (i % 2 == 0 ? even : odd) += data.base[static_cast<size_t>(i * kWidth + j)];
    split += (even / 151 - odd / 150) * (even / 151 - odd / 150);
  }
  CHECK(m.base_split_norm() == doctest::Approx(std::sqrt(split)).epsilon(1e-9));
  CHECK(std::isnan(Moments(kWidth).swap_norms().mean));
}

TEST_CASE("compat rounds every activation, every difference and every mean to bfloat16") {
  const Data data;
  Moments m(kWidth, 0, true);
  std::vector<Moments::Pair> pairs;
  for (int64_t i = 0; i < kSamples; ++i) pairs.push_back(data.pair(i));
  m.add(pairs);
  std::vector<float> diff(kWidth), base(kWidth);
  m.mean_diff(diff.data());
  m.mean_base(base.data());
  for (int64_t j = 0; j < kWidth; ++j) {
    double diff_sum = 0, base_sum = 0;
    for (int64_t i = 0; i < kSamples; ++i) {
      const auto at = static_cast<size_t>(i * kWidth + j);
      const float b = round_to_bf16(data.base[at]), f = round_to_bf16(data.finetuned[at]);
      diff_sum += round_to_bf16(f - b);
      base_sum += b;
    }
    CHECK(diff[static_cast<size_t>(j)] == round_to_bf16(static_cast<float>(diff_sum / kSamples)));
    CHECK(base[static_cast<size_t>(j)] == round_to_bf16(static_cast<float>(base_sum / kSamples)));
  }
  CHECK(row_norm(data.base.data(), kWidth, true) != row_norm(data.base.data(), kWidth));
}
