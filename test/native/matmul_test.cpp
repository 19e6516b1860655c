#include "ops/matmul.h"

#include <omp.h>

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

struct Shape {
  int64_t in, out;
};
const Job kJob;

PackedMatrix packed(const std::vector<float>& w, int64_t in, int64_t out,
                    Precision precision = Precision::float32) {
  return PackedMatrix::from(w, out, in, precision);
}

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
      matmul(x.data(), in, packed(w, in, out), y.data(), out, rows, kJob);
      matmul_reference(x.data(), in, w.data(), expected.data(), out, rows, in, out);
      CAPTURE(in);
      CAPTURE(out);
      CHECK(relative_l2(y.data(), expected.data(), y.size()) < 1e-6);
    }
  }
}

TEST_CASE("a bfloat16 product is the plain loop over rounded values") {
  const auto rounded = [](std::vector<float> values) {
    for (float& value : values) value = bf16_to_f32(f32_to_bf16(value));
    return values;
  };
  for (const auto [in, out] : kShapes) {
    for (const int64_t rows : {1, 391}) {
      const auto x = random_floats(static_cast<size_t>(rows * in), 7),
                 w = random_floats(static_cast<size_t>(out * in), 8);
      std::vector<float> y(static_cast<size_t>(rows * out)), expected(y.size());
      matmul(x.data(), in, packed(w, in, out, Precision::bfloat16), y.data(), out, rows, kJob);
      matmul_reference(rounded(x).data(), in, rounded(w).data(), expected.data(), out, rows, in, out);
      CAPTURE(in);
      CAPTURE(out);
      CHECK(relative_l2(y.data(), expected.data(), y.size()) < 1e-6);
    }
  }
}

TEST_CASE("matmul gives a row the same bits whatever stands beside it and however many threads work") {
  const int threads = omp_get_max_threads();
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    for (const auto [in, out] : kShapes) {
      constexpr int64_t kAll = 800;
      const auto x = random_floats(static_cast<size_t>(kAll * in), 3);
      const PackedMatrix w = packed(random_floats(static_cast<size_t>(out * in), 4), in, out, precision);
      std::vector<float> all(static_cast<size_t>(kAll * out)), some(all.size());
      matmul(x.data(), in, w, all.data(), out, kAll, kJob);
      int64_t differing = 0;
      for (const int used : {1, 2}) {
        omp_set_num_threads(used);
        for (const int64_t rows : {1, 2, 7, 48, 383, 385}) {
          for (const int64_t first : {int64_t{0}, int64_t{37}, kAll - rows}) {
            if (first + rows > kAll) continue;
            matmul(x.data() + first * in, in, w, some.data(), out, rows, kJob);
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

TEST_CASE("matmul reads and writes rows at their strides and touches nothing between them") {
  constexpr int64_t rows = 5, in = 6, out = 7, x_stride = 9, y_stride = 11;
  const auto x = random_floats(rows * x_stride, 5), w = random_floats(out * in, 6);
  std::vector<float> y(rows * y_stride, 42), expected(rows * out);
  matmul(x.data(), x_stride, packed(w, in, out), y.data(), y_stride, rows, kJob);
  matmul_reference(x.data(), x_stride, w.data(), expected.data(), out, rows, in, out);
  for (int64_t i = 0; i < rows; ++i) {
    CHECK(relative_l2(&y[static_cast<size_t>(i * y_stride)], &expected[static_cast<size_t>(i * out)], out) <
          1e-6);
    for (int64_t j = out; j < y_stride; ++j) CHECK(y[static_cast<size_t>(i * y_stride + j)] == 42);
  }
}

TEST_CASE("matmul with no rows writes nothing") {
  float untouched = 42;
  const auto w = random_floats(9, 1);
  matmul(nullptr, 3, packed(w, 3, 3), &untouched, 3, 0, kJob);
  CHECK(untouched == 42);
}

TEST_CASE("a cancelled product throws") {
  const auto x = random_floats(6, 1), w = random_floats(12, 2);
  std::vector<float> y(8);
  Job job;
  job.cancelled = true;
  CHECK(code_of([&] { matmul(x.data(), 3, packed(w, 3, 4), y.data(), 4, 2, job); }) == "CANCELLED");
}

TEST_CASE("weights are packed from every stored type, in any order of rows, and from either side") {
  constexpr int64_t out = 1030, in = 37;  // three panels, the last of 6
  const auto w = random_floats(out * in, 9);
  const PackedMatrix whole = packed(w, in, out);
  CHECK(whole.panels() == 3);
  CHECK(whole.width(2) == 6);
  const auto same = [&](const PackedMatrix& other) {
    for (int64_t panel = 0; panel < 3; ++panel) {
      const auto bytes = static_cast<size_t>(in * whole.width(panel)) * sizeof(float);
      if (std::memcmp(whole.panel_f32(panel), other.panel_f32(panel), bytes) != 0) return false;
    }
    return true;
  };
  CHECK(whole.panel_f32(1)[2 * 512 + 5] == w[(512 + 5) * in + 2]);

  PackedMatrix pieces, inputs;
  pieces.reset(out, in, Precision::float32);
  for (const int64_t first : {int64_t{1000}, int64_t{0}, int64_t{500}}) {
    const int64_t count = first == 1000 ? 30 : 500;
    CHECK(pieces.set_outputs(first, count, reinterpret_cast<const uint8_t*>(&w[static_cast<size_t>(first * in)]),
                             DType::f32) == 0);
  }
  CHECK(same(pieces));

  inputs.reset(out, in, Precision::float32);
  for (int64_t k = 0; k < in; ++k) {
    std::vector<float> row;
    for (int64_t j = 0; j < out; ++j) row.push_back(w[static_cast<size_t>(j * in + k)]);
    inputs.set_input(k, reinterpret_cast<const uint8_t*>(row.data()), DType::f32);
  }
  CHECK(same(inputs));

  // A part that begins with a panel is a matrix of its own.
  const auto x = random_floats(7 * in, 10);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const PackedMatrix all = packed(w, in, out, precision);
    std::vector<float> expected(7 * out);
    matmul(x.data(), in, all, expected.data(), out, 7, kJob);
    for (const auto [first, count] : {std::pair<int64_t, int64_t>{0, 512}, {512, 518}, {1024, 6}, {0, 100}}) {
      const PackedMatrix part = all.outputs(first, count);
      CHECK(part.precision() == precision);
      std::vector<float> y(static_cast<size_t>(7 * count)), wanted;
      matmul(x.data(), in, part, y.data(), count, 7, kJob);
      for (int64_t i = 0; i < 7 * count; ++i)
        wanted.push_back(expected[static_cast<size_t>(i / count * out + first + i % count)]);
      CHECK(relative_l2(y.data(), wanted.data(), y.size()) < 1e-6);  // sums may be ordered by the stride of y
    }
  }

  std::vector<float> broken = {1, NAN, INFINITY, -INFINITY, 2, 3};
  PackedMatrix counted;
  counted.reset(2, 3, Precision::float32);
  CHECK(counted.set_outputs(0, 2, reinterpret_cast<const uint8_t*>(broken.data()), DType::f32) == 3);
}
