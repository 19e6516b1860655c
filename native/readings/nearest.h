#pragma once

#include <cstdint>
#include <vector>

namespace deltascope {

struct Neighbour {
  int64_t index;
  double cosine;
};

/// The k of `rows` vectors [rows, width] with the largest cosine to query [width]; equal ones by index. Sums are float64. Vectors
/// that are zero or hold NaN or infinity have no cosine and are left out; a query like that has no neighbours.
std::vector<Neighbour> nearest(const float* query, const float* vectors, int64_t rows, int64_t width, int64_t k);

}  // namespace deltascope
