#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deltascope {

/// The angles of a rotary embedding: position · frequency, and a factor on cosine and sine.
struct RotaryTable {
  std::vector<float> frequencies;  // [rotated values of a head / 2], for texts of up to `context` tokens
  float scale = 1;                 // multiplies cosine and sine (yarn's and longrope's attention factor)

  /// Longer texts turn by other frequencies, at every position: an activation then depends on the text's
  /// length and no longer on its prefix alone.
  int64_t context = INT64_MAX;
  std::vector<float> beyond = {};  // longrope: the frequencies of all longer texts
  double theta = 0;           // dynamic: what they are computed from, with the text's length
  double factor = 0;

  /// The frequencies for texts of `length` tokens; within the context every length has the same. For a dynamic
  /// table `scratch` holds them.
  std::span<const float> for_length(int64_t length, std::vector<float>& scratch) const;
};

/// θ^(−2i/size) for i < size/2, in float32.
std::vector<float> rotary_frequencies(double theta, int64_t size);

/// Stretches the long wavelengths as Llama 3.1 does (rope_type "llama3"); `original_context` in tokens.
void scale_llama3(std::vector<float>& frequencies, double factor, double low_frequency_factor,
                  double high_frequency_factor, double original_context);

/// rope_type "yarn" (Peng et al. 2023, arXiv 2309.00071, §3.2): frequencies that turn more than `beta_fast` times
/// within the original context stay, those that turn less than `beta_slow` times are divided by the factor, those
/// between are blended. `truncate` rounds the ends of that range outwards to whole indices.
struct Yarn {
  double factor, original_context, beta_fast, beta_slow;
  bool truncate;
};
std::vector<float> yarn_frequencies(double theta, int64_t size, const Yarn& yarn);

/// The temperature that goes with a stretch (the same paper, §3.4): 0.1 · scale · ln(factor) + 1.
double yarn_temperature(double factor, double scale);

/// rope_type "longrope" (Ding et al. 2024, arXiv 2402.13753): frequency i divided by factors[i].
std::vector<float> longrope_frequencies(double theta, std::span<const double> factors);

}  // namespace deltascope
