#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace deltascope {

struct RankedId {
  int32_t id;
  float logit;
};

/// Reads a row of logits block by block and keeps what a softmax over all of them needs: the largest k, the
/// smallest k and both normalisers, without holding the row. Equal logits rank by id, lower first. NaN ranks
/// nowhere and makes the normalisers NaN.
class LogitReader {
 public:
  explicit LogitReader(int64_t k) : k_(static_cast<size_t>(k)) {}

  /// Logits of the ids first, first + 1, …; blocks must come in the order of ids.
  void read(const float* logits, int64_t count, int32_t first);

  /// The k largest, largest first, with softmax(logits).
  std::vector<std::pair<RankedId, double>> top() const;
  /// The k smallest, smallest first, with softmax(−logits).
  std::vector<std::pair<RankedId, double>> bottom() const;

 private:
  /// One end of the row: sign +1 keeps the largest, −1 the smallest, as values multiplied by sign.
  struct End {
    std::vector<RankedId> heap;
    double highest = -1e300;
    double sum = 0;  // Σ e^(value − highest)
  };
  void read_end(End& end, float sign, const float* logits, int64_t count, int32_t first);
  std::vector<std::pair<RankedId, double>> ranked(const End& end, float sign) const;

  size_t k_;
  End top_, bottom_;
};

}  // namespace deltascope
