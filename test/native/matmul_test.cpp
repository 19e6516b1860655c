#include "ops/matmul.h"

#include <omp.h>

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

struct Shape {
  int64_t in, out;
};
constexpr Shape kShapes[] = {{64, 160}, {128, 384}, {1024, 3072}, {3072, 1024}, {96, 64},  {64, 331},
                             {8, 128},  {128, 8},   {100, 77},    {1, 1},       {16, 2050}};

}  // namespace

TEST_CASE("matmul agrees with the plain loop in float64") {
  MESSAGE("backend: " << matmul_backend());
  for (const auto [in, out] : kShapes) {
    for (const int64_t rows : {1, 391}) {
      const auto x = random_floats(static_cast<size_t>(rows * in), 1),
                 w = random_floats(static_cast<size_t>(out * in), 2);
      std::vector<float> y(static_cast<size_t>(rows * out)), expected(y.size());
      matmul(x.data(), in, w.data(), y.data(), out, rows, in, out);
      matmul_reference(x.data(), in, w.data(), expected.data(), out, rows, in, out);
      CAPTURE(in);
      CAPTURE(out);
      CHECK(relative_l2(y.data(), expected.data(), y.size()) < 1e-6);
    }
  }
}

TEST_CASE("matmul gives a row the same bits whatever stands beside it and however many threads work") {
  const int threads = omp_get_max_threads();
  for (const auto [in, out] : kShapes) {
    constexpr int64_t kAll = 800;
    const auto x = random_floats(static_cast<size_t>(kAll * in), 3),
               w = random_floats(static_cast<size_t>(out * in), 4);
    std::vector<float> all(static_cast<size_t>(kAll * out)), some(all.size());
    matmul(x.data(), in, w.data(), all.data(), out, kAll, in, out);
    int64_t differing = 0;
    for (const int used : {1, 2}) {
      omp_set_num_threads(used);
      for (const int64_t rows : {1, 2, 7, 48, 383, 385}) {
        for (const int64_t first : {int64_t{0}, int64_t{37}, kAll - rows}) {
          if (first + rows > kAll) continue;
          matmul(x.data() + first * in, in, w.data(), some.data(), out, rows, in, out);
          differing += std::memcmp(some.data(), all.data() + first * out,
                                   static_cast<size_t>(rows * out) * sizeof(float)) != 0;
        }
      }
    }
    omp_set_num_threads(threads);
    CAPTURE(in);
    CAPTURE(out);
    CHECK(differing == 0);
  }
}

TEST_CASE("matmul reads and writes rows at their strides and touches nothing between them") {
  constexpr int64_t rows = 5, in = 6, out = 7, x_stride = 9, y_stride = 11;
  const auto x = random_floats(rows * x_stride, 5), w = random_floats(out * in, 6);
  std::vector<float> y(rows * y_stride, 42), expected(rows * out);
  matmul(x.data(), x_stride, w.data(), y.data(), y_stride, rows, in, out);
  matmul_reference(x.data(), x_stride, w.data(), expected.data(), out, rows, in, out);
  for (int64_t i = 0; i < rows; ++i) {
    CHECK(relative_l2(&y[static_cast<size_t>(i * y_stride)], &expected[static_cast<size_t>(i * out)], out) <
          1e-6);
    for (int64_t j = out; j < y_stride; ++j) CHECK(y[static_cast<size_t>(i * y_stride + j)] == 42);
  }
}

TEST_CASE("matmul with no rows writes nothing") {
  float untouched = 42;
  matmul(nullptr, 3, &untouched, &untouched, 3, 0, 3, 3);
  CHECK(untouched == 42);
}
