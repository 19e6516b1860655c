// The least a measurement can take: its matrix products and nothing else, by the same ops/matmul.h.
//
//   matmul_floor ROWS THREADS PRECISION:INxOUTxTIMES…
//
// Multiplies [ROWS, IN] by [OUT, IN], TIMES times for every shape given, in the order of a forward pass: once
// every shape, then all again that have times left. PRECISION: float32 or bfloat16. Each shape has weights of
// its own that stay in memory, packed, as those of a block do in the engine. One pass beforehand is not
// counted. Prints one line of JSON.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <vector>

#include "ops/matmul.h"

namespace {

struct Product {
  deltascope::Precision precision = deltascope::Precision::float32;
  int64_t in = 0, out = 0, times = 0;
  deltascope::PackedMatrix weights;
};

/// Values in [−1, 1) that repeat nothing: some processors multiply zeros or denormals at another speed.
std::vector<float> noise(int64_t size) {
  std::vector<float> values(static_cast<size_t>(size));
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return values;
}

int64_t whole(const char* text) {
  char* end = nullptr;
  const long long value = std::strtoll(text, &end, 10);
  return *end == '\0' && value > 0 && value < int64_t{1} << 31 ? value : 0;
}

bool read(const char* text, Product& product) {
  char precision[9] = "", rest = 0;
  long long in = 0, out = 0, times = 0;
  if (std::sscanf(text, "%8[a-z0-9]:%lldx%lldx%lld%c", precision, &in, &out, &times, &rest) != 4)
    return false;
  product.in = in, product.out = out, product.times = times;
  for (const auto known : {deltascope::Precision::float32, deltascope::Precision::bfloat16}) {
    if (std::string_view(precision) == deltascope::name(known)) {
      product.precision = known;
      return in > 0 && out > 0 && times > 0;
    }
  }
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  const int64_t rows = count > 3 ? whole(arguments[1]) : 0, threads = count > 3 ? whole(arguments[2]) : 0;
  std::vector<Product> products(static_cast<size_t>(std::max(count - 3, 0)));
  bool ok = rows > 0 && threads > 0;
  for (size_t i = 0; i < products.size(); ++i) ok = read(arguments[i + 3], products[i]) && ok;
  if (!ok) {
    std::fprintf(stderr, "usage: matmul_floor ROWS THREADS PRECISION:INxOUTxTIMES...\n");
    return 2;
  }
  omp_set_num_threads(static_cast<int>(threads));

  int64_t widest_in = 0, widest_out = 0, most_times = 0;
  for (Product& product : products) {
    product.weights = deltascope::PackedMatrix::from(noise(product.in * product.out), product.out, product.in,
                                                     product.precision);
    widest_in = std::max(widest_in, product.in);
    widest_out = std::max(widest_out, product.out);
    most_times = std::max(most_times, product.times);
  }
  const std::vector<float> x = noise(rows * widest_in);
  std::vector<float> y(static_cast<size_t>(rows * widest_out));

  const deltascope::Job job;
  const auto pass = [&](int64_t number) {
    for (const Product& product : products) {
      if (number >= product.times) continue;
      deltascope::matmul(x.data(), product.in, product.weights, y.data(), product.out, rows, job);
    }
  };
  pass(0);
  const std::clock_t cpu_begin = std::clock();
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t number = 0; number < most_times; ++number) pass(number);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  std::printf("{\"seconds\": %.6f, \"cpuSeconds\": %.6f, \"backend\": \"%s\"}\n", seconds, cpu_seconds,
              deltascope::matmul_backend());
  return 0;
}
