#include "decode/philox.h"

namespace deltascope {
namespace {

uint32_t low(uint64_t value) { return static_cast<uint32_t>(value); }
uint32_t high(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

}  // namespace

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xd2511f53} * counter[0], b = uint64_t{0xcd9e8d57} * counter[2];
    counter = {high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)};
    key = {key[0] + 0x9e3779b9, key[1] + 0xbb67ae85};
  }
  return counter;
}

RandomStream::RandomStream(uint64_t seed, std::span<const int32_t> prompt, int64_t ordinal)
    : key_{low(seed), high(seed)} {
  // Each token, and then the ordinal with the length, makes the next key. The last word of the counter keeps
  // the purposes apart: 0 draws numbers.
  const auto absorb = [&](uint64_t value, uint32_t more, uint32_t purpose) {
    const auto bits = philox({low(value), high(value), more, purpose}, key_);
    key_ = {bits[0], bits[1]};
  };
  for (const int32_t id : prompt) absorb(static_cast<uint64_t>(id), 0, 1);
  absorb(static_cast<uint64_t>(ordinal), static_cast<uint32_t>(prompt.size()), 2);
}

double RandomStream::uniform(int64_t step) const {
  const auto counter = static_cast<uint64_t>(step);
  const auto bits = philox({low(counter), high(counter), 0, 0}, key_);
  return static_cast<double>((uint64_t{bits[0]} << 32 | bits[1]) >> 11) * 0x1p-53;
}

}  // namespace deltascope
