#include "ops/rotary.h"

#include <algorithm>
#include <cmath>

#include "core/simd.h"
#include "core/team.h"

namespace deltascope {
namespace {

/// One head: a and b are its two halves.
DELTASCOPE_SIMD void rotate(float* a, float* b, const float* cosine, const float* sine, int64_t half) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float first = a[i], second = b[i];
    a[i] = first * cosine[i] - second * sine[i];
    b[i] = second * cosine[i] + first * sine[i];
  }
}

}  // namespace

RotaryAngles::RotaryAngles(std::span<const float> frequencies, float scale, int64_t positions)
    : frequencies_(frequencies.begin(), frequencies.end()), scale_(scale) {
  const int64_t prepared = std::min(positions, kPrepared);
  prepared_.resize(static_cast<size_t>(prepared * 2 * half()));
#pragma omp parallel for schedule(static)
  for (int64_t position = 0; position < prepared; ++position)
    compute(static_cast<int32_t>(position), prepared_.data() + position * 2 * half());
}

void RotaryAngles::compute(int32_t position, float* out) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = static_cast<float>(position) * frequencies_[i];  // rounded to float32 before cos and sin
    out[i] = static_cast<float>(std::cos(angle)) * scale_;
    out[i + frequencies_.size()] = static_cast<float>(std::sin(angle)) * scale_;
  }
}

const float* RotaryAngles::at(int32_t position, float* scratch) const {
  const auto at = static_cast<size_t>(position) * 2 * frequencies_.size();
  if (at < prepared_.size()) return prepared_.data() + at;
  compute(position, scratch);
  return scratch;
}

void apply_rotary(float* x, int64_t stride, std::span<const int32_t> positions, int64_t heads,
                  int64_t head_dim, const RotaryAngles& angles) {
  const int64_t half = angles.half();
  parallel_ranges(static_cast<int64_t>(positions.size()), 0, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(2 * half));
    for (int64_t row = begin; row < end; ++row) {
      const float* cosine = angles.at(positions[static_cast<size_t>(row)], scratch.data());
      for (int64_t head = 0; head < heads; ++head) {
        float* a = x + row * stride + head * head_dim;
        rotate(a, a + half, cosine, cosine + half, half);
      }
    }
  });
}

}  // namespace deltascope
