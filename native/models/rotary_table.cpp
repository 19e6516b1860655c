#include "models/rotary_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace deltascope {
namespace {

/// θ^(2i/size), rounded to float32 where transformers does.
float period(double theta, size_t i, int64_t size) {
  const float exponent = static_cast<float>(2 * i) / static_cast<float>(size);
  return static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
}

}  // namespace

std::span<const float> RotaryTable::for_length(int64_t length, std::vector<float>& scratch) const {
  if (length <= context) return frequencies;
  if (!beyond.empty()) return beyond;
  // The stretched base, step by step in float32 as transformers has it.
  const auto size = static_cast<int64_t>(2 * frequencies.size());
  const float stretch = static_cast<float>(factor) * static_cast<float>(length) / static_cast<float>(context) -
                        static_cast<float>(factor - 1);
  const float grown = std::pow(stretch, static_cast<float>(static_cast<double>(size) / static_cast<double>(size - 2)));
  scratch = rotary_frequencies(static_cast<float>(theta) * grown, size);
  return scratch;
}

std::vector<float> rotary_frequencies(double theta, int64_t size) {
  std::vector<float> frequencies(static_cast<size_t>(size / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] = 1.0f / period(theta, i, size);
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

std::vector<float> yarn_frequencies(double theta, int64_t size, const Yarn& yarn) {
  // The index whose frequency turns so many times within the original context.
  const auto index_of = [&](double turns) {
    return static_cast<double>(size) * std::log(yarn.original_context / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = index_of(yarn.beta_fast), high = index_of(yarn.beta_slow);
  if (yarn.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(size - 1));
  if (low == high) high += 0.001;
  std::vector<float> frequencies(static_cast<size_t>(size / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float turn = period(theta, i, size);
    const float kept = 1.0f / turn, stretched = 1.0f / (static_cast<float>(yarn.factor) * turn);
    const auto ramp = static_cast<float>(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
    frequencies[i] = stretched * ramp + kept * (1.0f - ramp);
  }
  return frequencies;
}

double yarn_temperature(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

std::vector<float> longrope_frequencies(double theta, std::span<const double> factors) {
  std::vector<float> frequencies(factors.size());
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] =
        1.0f / (static_cast<float>(factors[i]) * period(theta, i, static_cast<int64_t>(2 * factors.size())));
  }
  return frequencies;
}

}  // namespace deltascope
