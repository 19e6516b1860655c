#include "ops/row_product.h"

#include <omp.h>

#include "ops/matmul.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
const Job kJob;

/// Weights of every size, small ones (float16's subnormals) and zeros among them; stored, and widened by the
/// code that reads checkpoints.
struct Weights {
  Weights(int64_t out, int64_t in, DType dtype, uint32_t seed) : wide(static_cast<size_t>(out * in)) {
    stored.reset(out, in, dtype);
    std::mt19937 random(seed);
    auto* bytes = stored.row(0);
    for (int64_t i = 0; i < out * in; ++i) {
      if (dtype == DType::f32) {
        const float value = static_cast<float>(random() % 4001) / 1000 - 2;
        std::memcpy(bytes + 4 * i, &value, 4);
      } else {
        // A random sign and mantissa under a moderate exponent; float16's lowest exponents come up too.
        const uint32_t exponent = dtype == DType::f16 ? random() % 17 : 100 + random() % 29;
        const uint32_t shift = dtype == DType::f16 ? 10 : 7;
        const auto half = static_cast<uint16_t>((random() & 1) << 15 | exponent << shift |
                                                (random() & ((1u << shift) - 1)));
        std::memcpy(bytes + 2 * i, &half, 2);
      }
    }
    convert_to_f32({bytes, static_cast<size_t>(stored.bytes())}, dtype, wide.data(), out * in);
  }
  RowMatrix stored;
  std::vector<float> wide;
};

struct Shape {
  int64_t in, out;
};
constexpr Shape kShapes[] = {{64, 160}, {1024, 3072}, {3072, 257}, {100, 77},
                             {1, 1},    {15, 3},      {16, 33},    {331, 66}};

}  // namespace

TEST_CASE("row_product agrees with the plain loop in float64, for every stored type") {
  for (const DType dtype : kTypes) {
    for (const auto [in, out] : kShapes) {
      const Weights w(out, in, dtype, 1);
      for (const int64_t rows : {1, 2, 3, 4, 7, 33}) {
        const auto x = random_floats(static_cast<size_t>(rows * in), 2);
        std::vector<float> y(static_cast<size_t>(rows * out)), expected(y.size());
        row_product(w.stored, x.data(), in, y.data(), out, rows, kJob);
        matmul_reference(x.data(), in, w.wide.data(), expected.data(), out, rows, in, out);
        CAPTURE(in);
        CAPTURE(out);
        CAPTURE(rows);
        CHECK(relative_l2(y.data(), expected.data(), y.size()) < 1e-6);
      }
    }
  }
}

TEST_CASE("row_product widens every float16 and bfloat16 exactly") {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    RowMatrix all;
    all.reset(1 << 16, 1, dtype);
    for (int32_t bits = 0; bits < 1 << 16; ++bits) {
      const auto half = static_cast<uint16_t>(bits);
      std::memcpy(all.row(bits), &half, 2);
    }
    const float one = 1;
    std::vector<float> y(1 << 16), expected(y.size());
    row_product(all, &one, 1, y.data(), 1 << 16, 1, kJob);
    convert_to_f32({all.row(0), static_cast<size_t>(all.bytes())}, dtype, expected.data(), 1 << 16);
    int64_t differing = 0;
    for (size_t i = 0; i < y.size(); ++i)
      differing += !(y[i] == expected[i] || (y[i] != y[i] && expected[i] != expected[i]));
    CHECK(differing == 0);
  }
}

TEST_CASE("row_product gives a row the same bits whatever stands beside it and however many threads work") {
  const int threads = omp_get_max_threads();
  constexpr int64_t kAll = 37;
  for (const DType dtype : kTypes) {
    for (const auto [in, out] : kShapes) {
      const Weights w(out, in, dtype, 3);
      const auto x = random_floats(static_cast<size_t>(kAll * in), 4);
      std::vector<float> all(static_cast<size_t>(kAll * out)), some(all.size());
      row_product(w.stored, x.data(), in, all.data(), out, kAll, kJob);
      int64_t differing = 0;
      for (const int used : {1, 2, 3}) {
        omp_set_num_threads(used);
        for (const int64_t rows : {1, 2, 3, 5, 8, 31}) {
          for (const int64_t first : {int64_t{0}, int64_t{5}, kAll - rows}) {
            row_product(w.stored, x.data() + first * in, in, some.data(), out, rows, kJob);
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
}

TEST_CASE("row_product reads and writes rows at their strides and touches nothing between them") {
  constexpr int64_t rows = 5, in = 22, out = 7, x_stride = 30, y_stride = 11;
  const Weights w(out, in, DType::bf16, 6);
  const auto x = random_floats(rows * x_stride, 5);
  std::vector<float> y(rows * y_stride, 42), expected(rows * out);
  row_product(w.stored, x.data(), x_stride, y.data(), y_stride, rows, kJob);
  matmul_reference(x.data(), x_stride, w.wide.data(), expected.data(), out, rows, in, out);
  for (int64_t i = 0; i < rows; ++i) {
    CHECK(relative_l2(&y[static_cast<size_t>(i * y_stride)], &expected[static_cast<size_t>(i * out)], out) <
          1e-6);
    for (int64_t j = out; j < y_stride; ++j) CHECK(y[static_cast<size_t>(i * y_stride + j)] == 42);
  }
}

TEST_CASE("a cancelled row_product throws") {
  const Weights w(4, 3, DType::f32, 1);
  const auto x = random_floats(6, 1);
  std::vector<float> y(8);
  Job job;
  job.cancelled = true;
  CHECK(code_of([&] { row_product(w.stored, x.data(), 3, y.data(), 4, 2, job); }) == "CANCELLED");
}
