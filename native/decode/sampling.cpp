#include "decode/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace deltascope {
namespace {

/// The largest score, of equal ones the lower id; −1 when a score is NaN or the largest is infinite.
template <typename Score>
int32_t find_largest(std::span<const Score> scores) {
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
  const double least = s.sorted[static_cast<size_t>(k - 1)];
  std::erase_if(s.kept, [&](int32_t id) { return s.scores[static_cast<size_t>(id)] < least; });
}

/// Drops, least probable first, what has at most 1 − p together; the most probable token stays.
void keep_top_p(SamplingScratch& s, double p) {
  if (p >= 1) return;
  const auto score = [&](int32_t id) { return s.scores[static_cast<size_t>(id)]; };
  std::sort(s.kept.begin(), s.kept.end(),
            [&](int32_t a, int32_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  double total = 0;
  for (const int32_t id : s.kept) total += std::exp(score(id));
  double dropped = 0;
  while (s.kept.size() > 1) {
    dropped += std::exp(score(s.kept.back())) / total;
    if (dropped > 1 - p) break;
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
      double& score = s.scores[static_cast<size_t>(id)];
      score = score < 0 ? score * sampling.repetition_penalty : score / sampling.repetition_penalty;
    }
  }
  const int32_t best = find_largest(std::span<const double>(s.scores));
  if (best < 0 || sampling.temperature == 0) return best;

  const double largest = s.scores[static_cast<size_t>(best)];
  for (double& score : s.scores) score = (score - largest) / sampling.temperature;
  s.kept.resize(s.scores.size());
  std::iota(s.kept.begin(), s.kept.end(), 0);
  keep_top_k(s, sampling.top_k);
  keep_top_p(s, sampling.top_p);

  const auto weight = [&](int32_t id) { return std::exp(s.scores[static_cast<size_t>(id)]); };
  double total = 0;
  for (const int32_t id : s.kept) total += weight(id);
  double sum = 0;
  for (const int32_t id : s.kept) {
    sum += weight(id);
    if (sum > uniform * total) return id;
  }
  return best;  // only rounding leads here
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
