#include "ops/rotary.h"

#include <cmath>
#include <numbers>

namespace deltascope {

void apply_rotary(float* x, int64_t stride, std::span<const int32_t> positions, int64_t heads,
                  int64_t head_dim, std::span<const float> frequencies) {
  const auto half = static_cast<int64_t>(frequencies.size());
#pragma omp parallel
  {
    std::vector<float> cosine(frequencies.size()), sine(frequencies.size());
    int32_t prepared = -1;
#pragma omp for schedule(static)
    for (int64_t row = 0; row < static_cast<int64_t>(positions.size()); ++row) {
      const int32_t position = positions[static_cast<size_t>(row)];
      if (position != prepared) {
        for (size_t i = 0; i < frequencies.size(); ++i) {
          const double angle =
              static_cast<float>(position) * frequencies[i];  // rounded to float32 before cos and sin
          cosine[i] = static_cast<float>(std::cos(angle));
          sine[i] = static_cast<float>(std::sin(angle));
        }
        prepared = position;
      }
      for (int64_t head = 0; head < heads; ++head) {
        float* a = x + row * stride + head * head_dim;
        float* b = a + half;
        for (int64_t i = 0; i < half; ++i) {
          const float first = a[i], second = b[i];
          a[i] = first * cosine[static_cast<size_t>(i)] - second * sine[static_cast<size_t>(i)];
          b[i] = second * cosine[static_cast<size_t>(i)] + first * sine[static_cast<size_t>(i)];
        }
      }
    }
  }
}

std::vector<float> rotary_frequencies(double theta, int64_t size) {
  std::vector<float> frequencies(static_cast<size_t>(size / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(size);
    frequencies[i] = 1.0f / static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
  }
  return frequencies;
}

void scale_llama3(std::vector<float>& frequencies, double factor, double low_frequency_factor,
                  double high_frequency_factor, double original_context) {
  const double longest = original_context / low_frequency_factor,
               shortest = original_context / high_frequency_factor;
  for (float& frequency : frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < shortest) continue;
    if (wavelength > longest) {
      frequency = static_cast<float>(frequency / factor);
      continue;
    }
    const double smooth = (original_context / wavelength - low_frequency_factor) /
                          (high_frequency_factor - low_frequency_factor);
    frequency = static_cast<float>((1 - smooth) * frequency / factor + smooth * frequency);
  }
}

}  // namespace deltascope
