// The least a decoded token can take: reading its weights, and nothing else.
//
//   read_floor BYTES THREADS ROUNDS
//
// Adds up BYTES of memory as whole numbers, all threads at once, ROUNDS times after one that is not counted.
// Prints one line of JSON with the seconds of every round.
#include <omp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/simd.h"

namespace {

DELTASCOPE_SIMD uint64_t add_up(const uint64_t* values, int64_t count) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  const int64_t words = count == 4 ? std::atoll(arguments[1]) / 8 : 0;
  const int threads = count == 4 ? std::atoi(arguments[2]) : 0,
            rounds = count == 4 ? std::atoi(arguments[3]) : 0;
  if (words < 1 || threads < 1 || rounds < 1) {
    std::fprintf(stderr, "usage: read_floor BYTES THREADS ROUNDS\n");
    return 2;
  }
  omp_set_num_threads(threads);
  constexpr int64_t kPiece = 1 << 14;
  const auto values = std::make_unique_for_overwrite<uint64_t[]>(static_cast<size_t>(words));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < words; ++i) values[static_cast<size_t>(i)] = static_cast<uint64_t>(i);
  std::printf("{\"seconds\": [");
  uint64_t sum = 0;
  for (int round = 0; round <= rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (int64_t first = 0; first < words; first += kPiece)
      sum += add_up(values.get() + first, first + kPiece < words ? kPiece : words - first);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (round > 0) std::printf("%s%.6f", round == 1 ? "" : ", ", seconds);
  }
  std::printf("], \"sum\": \"%llx\"}\n", static_cast<unsigned long long>(sum));
  return 0;
}
