#include "decode/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/team.h"

namespace deltascope {
namespace {

/// The largest score, of equal ones the lower id; −1 when a score is NaN or the largest is infinite.
int32_t find_largest(std::span<const float> scores) {
  size_t best = 0;
  bool spoiled = false;
  for (size_t i = 0; i < scores.size(); ++i) {
    spoiled = spoiled || std::isnan(scores[i]);
    if (scores[i] > scores[best]) best = i;
  }
  return spoiled || !std::isfinite(scores[best]) ? -1 : static_cast<int32_t>(best);
}

/// Leaves the k largest and those equal to the k-th, in the order of ids.
void keep_top_k(SamplingScratch& s, int64_t k) {
  if (k <= 0 || k >= static_cast<int64_t>(s.kept.size())) return;
  s.sorted = s.scores;
  std::nth_element(s.sorted.begin(), s.sorted.begin() + (k - 1), s.sorted.end(), std::greater<>());
  const float least = s.sorted[static_cast<size_t>(k - 1)];
  std::erase_if(s.kept, [&](int32_t id) { return s.scores[static_cast<size_t>(id)] < least; });
}

/// Drops, least probable first, what has at most 1 − p together; the most probable token stays. weight: of an id.
template <typename Weight>
void keep_top_p(SamplingScratch& s, double p, const Weight& weight) {
  if (p >= 1) return;
  const auto score = [&](int32_t id) { return s.scores[static_cast<size_t>(id)]; };
  std::sort(s.kept.begin(), s.kept.end(),
            [&](int32_t a, int32_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  uint64_t total = 0, dropped = 0;
  for (const int32_t id : s.kept) total += weight(id);
  const auto most = static_cast<uint64_t>((1 - p) * static_cast<double>(total));
  while (s.kept.size() > 1) {
    dropped += weight(s.kept.back());
    if (dropped > most) break;
    s.kept.pop_back();
  }
}

}  // namespace

int32_t choose_token(std::span<const float> logits, const Sampling& sampling, const std::set<int32_t>& seen,
                     double uniform, SamplingScratch& s) {
  const bool penalised = sampling.repetition_penalty != 1 && !seen.empty();
  if (sampling.temperature == 0 && !penalised) return find_largest(logits);
  s.scores.assign(logits.begin(), logits.end());
  if (penalised) {
    for (const int32_t id : seen) {
      float& score = s.scores[static_cast<size_t>(id)];
      score = static_cast<float>(score < 0 ? score * sampling.repetition_penalty : score / sampling.repetition_penalty);
    }
  }
  const int32_t best = find_largest(s.scores);
  if (best < 0 || sampling.temperature == 0) return best;

  const double largest = s.scores[static_cast<size_t>(best)];
  const auto weight = [&](int32_t id) {
    const double exponent = (s.scores[static_cast<size_t>(id)] - largest) / sampling.temperature;
    return static_cast<uint64_t>(std::exp(exponent) * kWeightUnit + 0.5);
  };
  s.kept.resize(s.scores.size());
  std::iota(s.kept.begin(), s.kept.end(), 0);
  keep_top_k(s, sampling.top_k);
  keep_top_p(s, sampling.top_p, weight);

  uint64_t total = 0, sum = 0;
  for (const int32_t id : s.kept) total += weight(id);
  const uint64_t drawn = std::min(static_cast<uint64_t>(uniform * static_cast<double>(total)), total - 1);
  for (const int32_t id : s.kept) {
    sum += weight(id);
    if (sum > drawn) return id;
  }
  return best;  // never
}

std::vector<int32_t> choose_tokens(std::span<const float> logits, const Choice& choice) {
  std::vector<int32_t> ids(choice.uniform.size());
  const size_t vocabulary = ids.empty() ? 0 : logits.size() / ids.size();
  parallel_ranges(static_cast<int64_t>(ids.size()), 0, [&](int64_t begin, int64_t end) {
    SamplingScratch scratch;
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      ids[row] = choose_token(logits.subspan(row * vocabulary, vocabulary), choice.sampling, *choice.seen[row],
                              choice.uniform[row], scratch);
    }
  });
  return ids;
}

bool ends_in_repetition(std::span<const int32_t> ids, int64_t times) {
  constexpr size_t kLongest = 32;
  for (size_t period = 1; period <= kLongest; ++period) {
    const size_t length = period * static_cast<size_t>(times);
    if (length > ids.size()) return false;
    const auto tail = ids.last(length);
    if (std::equal(tail.begin() + static_cast<int64_t>(period), tail.end(), tail.begin())) return true;
  }
  return false;
}

}  // namespace deltascope
