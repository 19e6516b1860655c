#include "ops/top_k.h"

#include <algorithm>
#include <cmath>

namespace deltascope {
namespace {

/// Whether a ranks before b.
bool before(const RankedId& a, const RankedId& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

}  // namespace

void LogitReader::read(const float* logits, int64_t count, int32_t first) {
  read_end(top_, 1.0f, logits, count, first);
  read_end(bottom_, -1.0f, logits, count, first);
}

void LogitReader::read_end(End& end, float sign, const float* logits, int64_t count, int32_t first) {
  double highest = end.highest;
  for (int64_t i = 0; i < count; ++i) highest = std::max(highest, static_cast<double>(sign * logits[i]));
  end.sum *= std::exp(end.highest - highest);
  end.highest = highest;
  for (int64_t i = 0; i < count; ++i) {
    const float value = sign * logits[i];
    end.sum += std::exp(static_cast<double>(value) - highest);
    if (std::isnan(value)) continue;
    const RankedId entry{first + static_cast<int32_t>(i), value};
    if (end.heap.size() < k_) {
      end.heap.push_back(entry);
      std::push_heap(end.heap.begin(), end.heap.end(), before);
    } else if (k_ > 0 && before(entry, end.heap.front())) {
      std::pop_heap(end.heap.begin(), end.heap.end(), before);
      end.heap.back() = entry;
      std::push_heap(end.heap.begin(), end.heap.end(), before);
    }
  }
}

std::vector<std::pair<RankedId, double>> LogitReader::ranked(const End& end, float sign) const {
  std::vector<RankedId> order = end.heap;
  std::sort(order.begin(), order.end(), before);
  std::vector<std::pair<RankedId, double>> result;
  for (const RankedId& entry : order) {
    const double probability = std::exp(static_cast<double>(entry.logit) - end.highest) / end.sum;
    result.emplace_back(RankedId{entry.id, sign * entry.logit}, probability);
  }
  return result;
}

std::vector<std::pair<RankedId, double>> LogitReader::top() const { return ranked(top_, 1.0f); }
std::vector<std::pair<RankedId, double>> LogitReader::bottom() const { return ranked(bottom_, -1.0f); }

}  // namespace deltascope
