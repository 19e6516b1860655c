#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace deltascope {

/// Philox4x32-10: 128 random bits that are a function of a counter and a key.
/// Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// The random numbers of one text. They depend on the seed, the prompt and how many texts of the same prompt
/// come before it, so that neither the batch nor other prompts change what a text draws.
class RandomStream {
 public:
  RandomStream(uint64_t seed, std::span<const int32_t> prompt, int64_t ordinal);

  /// The step's number, uniform in [0, 1), a multiple of 2^-53.
  double uniform(int64_t step) const;

 private:
  std::array<uint32_t, 2> key_;
};

}  // namespace deltascope
