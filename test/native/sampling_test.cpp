#include "decode/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "decode/philox.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

/// The probabilities that sampling should have, by the definition and a sort of everything.
std::vector<double> plain_probabilities(const std::vector<float>& logits, const Sampling& sampling,
                                        const std::set<int32_t>& seen = {}) {
  std::vector<double> scores(logits.begin(), logits.end());
  for (const int32_t id : seen) {
    double& score = scores[static_cast<size_t>(id)];
    score = score < 0 ? score * sampling.repetition_penalty : score / sampling.repetition_penalty;
  }
  for (double& score : scores) score /= sampling.temperature;
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  size_t kept = order.size();
  if (sampling.top_k > 0 && static_cast<size_t>(sampling.top_k) < kept) {
    const double least = scores[order[static_cast<size_t>(sampling.top_k - 1)]];
    kept = static_cast<size_t>(
        std::count_if(scores.begin(), scores.end(), [&](double score) { return score >= least; }));
  }
  const auto normalise = [&](std::vector<double>& p) {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& value : p) value /= sum;
  };
  std::vector<double> p(scores.size());
  for (size_t rank = 0; rank < kept; ++rank)
    p[order[rank]] = std::exp(scores[order[rank]] - scores[order[0]]);
  normalise(p);
  double sum = 0;
  for (size_t rank = 0; rank < kept; ++rank) {
    if (rank > 0 && sum >= sampling.top_p) p[order[rank]] = 0;
    sum += p[order[rank]];
  }
  normalise(p);
  return p;
}

/// Pearson's statistic of `draws` choices.
double chi_square(const std::vector<float>& logits, const Sampling& sampling,
                  const std::vector<double>& expected, int64_t draws, const std::set<int32_t>& seen = {}) {
  std::vector<int64_t> counts(logits.size());
  const std::vector<int32_t> prompt = {1, 2, 3};
  const RandomStream random(7, prompt, 0);
  SamplingScratch scratch;
  for (int64_t i = 0; i < draws; ++i)
    ++counts[static_cast<size_t>(choose_token(logits, sampling, seen, random.uniform(i), scratch))];
  double sum = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    const double mean = expected[id] * static_cast<double>(draws);
    if (mean == 0) {
      CHECK(counts[id] == 0);
    } else {
      sum += (static_cast<double>(counts[id]) - mean) * (static_cast<double>(counts[id]) - mean) / mean;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("philox gives the published known answers") {
  using Bits = std::array<uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Bits{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Bits{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Bits{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a text's random numbers depend on seed, prompt and ordinal, each") {
  const std::vector<int32_t> prompt = {5, 6}, longer = {5, 6, 0}, other = {6, 5};
  const double first = RandomStream(1, prompt, 0).uniform(0);
  CHECK(RandomStream(1, prompt, 0).uniform(0) == first);
  std::set<double> all = {first, RandomStream(1, prompt, 0).uniform(1)};
  all.insert(RandomStream(2, prompt, 0).uniform(0));
  all.insert(RandomStream(uint64_t{1} << 33 | 1, prompt, 0).uniform(0));
  all.insert(RandomStream(1, longer, 0).uniform(0));
  all.insert(RandomStream(1, other, 0).uniform(0));
  all.insert(RandomStream(1, prompt, 1).uniform(0));
  CHECK(all.size() == 7);
  for (const double value : all) CHECK((value >= 0 && value < 1));
}

TEST_CASE("tokens are drawn as often as softmax, top-k and top-p say") {
  auto logits = random_floats(40, 3, 1.5f);
  logits[7] = logits[8] = logits[9];  // ties, which top-k keeps together
  const struct {
    Sampling sampling;
    double
        quantile;  // 99.9 % of the chi-square distribution with as many degrees as tokens are kept, less one
  } cases[] = {{{.temperature = 1}, 72.1},
               {{.temperature = 0.7}, 72.1},
               {{.temperature = 1, .top_k = 10}, 30},
               {{.temperature = 1.3, .top_p = 0.8}, 60},
               {{.temperature = 1.1, .top_k = 12, .top_p = 0.9}, 33}};
  for (const auto& [sampling, quantile] : cases) {
    CAPTURE(sampling.temperature);
    CAPTURE(sampling.top_k);
    CAPTURE(sampling.top_p);
    CHECK(chi_square(logits, sampling, plain_probabilities(logits, sampling), 50000) < quantile);
  }
  const Sampling penalised = {.temperature = 1, .repetition_penalty = 1.7};
  const std::set<int32_t> seen = {0, 3, 7, 20, 39};
  CHECK(chi_square(logits, penalised, plain_probabilities(logits, penalised, seen), 50000, seen) < 72.1);
  // The test can fail: these are other distributions.
  CHECK(chi_square(logits, penalised, plain_probabilities(logits, {.temperature = 1}), 50000, seen) > 100);
  CHECK(chi_square(logits, {.temperature = 0.9}, plain_probabilities(logits, {.temperature = 1}), 50000) >
        100);
}

TEST_CASE("every kept token can be drawn, and its share of [0, 1) is its probability") {
  const auto logits = random_floats(300, 5, 2);
  SamplingScratch scratch;
  for (const Sampling& sampling :
       {Sampling{.temperature = 1, .top_k = 5}, Sampling{.temperature = 0.5, .top_p = 0.3},
        Sampling{.temperature = 2, .top_k = 20, .top_p = 0.99}, Sampling{.temperature = 1, .top_p = 0}}) {
    const auto expected = plain_probabilities(logits, sampling);
    constexpr int64_t kGrid = 100000;
    std::vector<double> share(logits.size());
    for (int64_t i = 0; i < kGrid; ++i)
      share[static_cast<size_t>(choose_token(logits, sampling, {}, (static_cast<double>(i) + 0.5) / kGrid,
                                             scratch))] += 1.0 / kGrid;
    for (size_t id = 0; id < share.size(); ++id) CHECK(std::fabs(share[id] - expected[id]) < 2.0 / kGrid);
  }
}

TEST_CASE("greedy takes the largest logit, of equal ones the lower id, after the penalty") {
  SamplingScratch scratch;
  const std::vector<float> logits = {1, 3, 3, -2};
  CHECK(choose_token(logits, {}, {}, 0.9, scratch) == 1);
  CHECK(choose_token(logits, {.repetition_penalty = 1.5}, {1}, 0.9, scratch) == 2);
  CHECK(choose_token(logits, {.repetition_penalty = 4}, {1, 2}, 0.9, scratch) == 0);
  const std::vector<float> negative = {-1, -2};
  CHECK(choose_token(negative, {.repetition_penalty = 3}, {0}, 0.9, scratch) == 1);
}

TEST_CASE("logits that are not finite choose nothing; minus infinity is never chosen") {
  SamplingScratch scratch;
  const float nan = std::nanf(""), infinity = INFINITY;
  for (const double temperature : {0.0, 1.0}) {
    const Sampling sampling = {.temperature = temperature};
    CHECK(choose_token(std::vector<float>{1, nan, 2}, sampling, {}, 0.5, scratch) == -1);
    CHECK(choose_token(std::vector<float>{nan, 1}, sampling, {}, 0.5, scratch) == -1);
    CHECK(choose_token(std::vector<float>{1, infinity}, sampling, {}, 0.5, scratch) == -1);
    CHECK(choose_token(std::vector<float>{-infinity, -infinity}, sampling, {}, 0.5, scratch) == -1);
    CHECK(choose_token(std::vector<float>{-infinity, 1, -infinity}, sampling, {}, 0.0, scratch) == 1);
    CHECK(choose_token(std::vector<float>{-infinity, 1, -infinity}, sampling, {}, 0.999, scratch) == 1);
  }
  CHECK(choose_token(std::vector<float>{0, 1}, {.temperature = 1e-300}, {}, 0.0, scratch) == 1);
}

TEST_CASE("a repetition is found at every period up to 32 and no sooner than asked") {
  for (int32_t period = 1; period <= 33; ++period) {
    std::vector<int32_t> ids = {-1, -2};
    for (int32_t i = 0; i < 3 * period; ++i) ids.push_back(i % period);
    CAPTURE(period);
    CHECK(ends_in_repetition(ids, 3) == (period <= 32));
    CHECK(!ends_in_repetition(ids, 4));
    CHECK(!ends_in_repetition(std::span(ids).first(ids.size() - 1), 3));
  }
  CHECK(!ends_in_repetition({}, 2));
}
