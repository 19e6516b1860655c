#include "readings/nearest.h"

#include <algorithm>
#include <cmath>

#include "core/simd.h"

namespace deltascope {
namespace {

struct Sums {
  double dot, square;
};

DELTASCOPE_SIMD Sums sums_of(const float* x, const float* y, int64_t width) {
  double dot = 0, square = 0;
#pragma omp simd reduction(+ : dot, square)
  for (int64_t j = 0; j < width; ++j) {
    dot += static_cast<double>(x[j]) * y[j];
    square += static_cast<double>(y[j]) * y[j];
  }
  return {dot, square};
}

}  // namespace

std::vector<Neighbour> nearest(const float* query, const float* vectors, int64_t rows, int64_t width, int64_t k) {
  const double length = std::sqrt(sums_of(query, query, width).square);
  std::vector<Neighbour> all(static_cast<size_t>(rows));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const auto [dot, square] = sums_of(query, vectors + row * width, width);
    all[static_cast<size_t>(row)] = {row, std::clamp(dot / (length * std::sqrt(square)), -1.0, 1.0)};
  }
  std::erase_if(all, [](const Neighbour& one) { return std::isnan(one.cosine); });
  const auto kept = std::min(all.size(), static_cast<size_t>(k));
  std::partial_sort(all.begin(), all.begin() + static_cast<int64_t>(kept), all.end(), [](const Neighbour& a, const Neighbour& b) {
    return a.cosine != b.cosine ? a.cosine > b.cosine : a.index < b.index;
  });
  all.resize(kept);
  return all;
}

}  // namespace deltascope
