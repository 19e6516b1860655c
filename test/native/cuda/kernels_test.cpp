// Every kernel against its twin on the processor. On a machine with a device they run there; the emulator runs the same source
// thread by thread.
#include <algorithm>
#include <numeric>

#include "cuda/block_steps.h"
#include "cuda/kernels.h"
#include "cuda/cuda_test.h"
#include "diff/moments.h"
#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/row_product.h"
#include "ops/tree_attention.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

constexpr double kTolerance = 1e-6;

/// Largest relative distance of a row of `width` values from what it should be.
double worst_row(const std::vector<float>& actual, const std::vector<float>& expected, int64_t width) {
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  for (size_t at = 0; at < actual.size(); at += static_cast<size_t>(width))
    worst = std::max(worst, relative_l2(&actual[at], &expected[at], static_cast<size_t>(width)));
  return worst;
}

/// A tree of `nodes` nodes with branches, chains and more than one root: every node's parent is the one before, or any.
std::vector<int32_t> branching(int64_t nodes, uint32_t seed) {
  std::mt19937 bits(seed);
  std::vector<int32_t> parents;
  for (int32_t node = 0; node < nodes; ++node) {
    const bool jumps = node == 0 || bits() % 8 == 0;
    parents.push_back(jumps ? static_cast<int32_t>(bits() % static_cast<uint32_t>(node + 1)) - 1 : node - 1);
  }
  return parents;
}

enum class Way { tree, decoding, tensor };

/// Rows of attention by the kernel, in pieces of `cut` rows.
std::vector<float> attention_there(const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v,
                                   const std::vector<int32_t>& parents, int64_t first, int64_t cut, const AttentionShape& shape,
                                   Way way = Way::tree) {
  const There<float> q_there(q), k_there(k), v_there(v), out(std::vector<float>(q.size()));
  const int64_t rows = static_cast<int64_t>(parents.size()) - first, width = shape.heads * shape.head_dim;
  cuda::AttentionPlan plan;
  plan.make(test_machine(), parents, first, cut, shape.head_dim, way == Way::tensor);
  for (int64_t from = 0; from < rows; from += cut) {
    const int64_t here = std::min(cut, rows - from);
    cuda::AttentionJob job = plan.job(first + from, here);
    job.q = q_there.get() + from * width, job.out = out.get() + from * width;
    job.k = k_there.get(), job.v = v_there.get();
    job.heads = shape.heads, job.kv_heads = shape.kv_heads, job.head_dim = shape.head_dim;
    job.scale = shape.scale, job.softcap = shape.softcap, job.window = shape.window;
    cuda::DeviceBytes parts;
    if (way == Way::decoding) {
      job.heads_together = cuda::heads_together(job);
      if (job.longest > cuda::kPathPiece) job.parts = parts.hold<float>(cuda::attention_parts(job));
    }
    cuda::tree_attention(job, kStream);
  }
  return out.back();
}

}  // namespace

CUDA_TEST_CASE("norms are those of ops/") {
  for (const int64_t width : {1, 7, 80, 512, 513, 2304}) {
    for (const int64_t rows : {1, 9}) {
      CAPTURE(width);
      CAPTURE(rows);
      const auto x = floats(rows * width, 1, 3), gamma = floats(width, 2), beta = floats(width, 3);
      std::vector<float> want(x.size());
      const There<float> at(x), out(x), g(gamma), b(beta);
      rms_norm(x.data(), width, gamma.data(), 1e-6f, want.data(), width, rows, width);
      cuda::rms_norm(at.get(), g.get(), 1e-6f, out.get(), rows, width, kStream);
      CHECK(worst_row(out.back(), want, width) <= kTolerance);
      cuda::rms_norm(at.get(), g.get(), 1e-6f, at.get(), rows, width, kStream);  // in place
      CHECK(at.back() == out.back());

      layer_norm(x.data(), width, gamma.data(), beta.data(), 1e-5f, want.data(), width, rows, width);
      const There<float> centred(x);
      cuda::layer_norm(centred.get(), g.get(), b.get(), 1e-5f, centred.get(), rows, width, kStream);
      CHECK(worst_row(centred.back(), want, width) <= kTolerance);
    }
  }
}

CUDA_TEST_CASE("a norm of NaN or infinity is NaN, and leaves the other rows alone") {
  auto x = floats(3 * 40, 1);
  x[45] = NAN;
  x[90] = INFINITY;
  const There<float> at(x), gamma(std::vector<float>(40, 1.0f));
  cuda::rms_norm(at.get(), gamma.get(), 1e-6f, at.get(), 3, 40, kStream);
  const auto got = at.back();
  CHECK(std::all_of(got.begin(), got.begin() + 40, [](float value) { return std::isfinite(value); }));
  CHECK(std::isnan(got[41]));
  CHECK(std::isnan(got[90]));
}

CUDA_TEST_CASE("activations, soft caps and sums are those of ops/") {
  for (const int64_t count : {1, 255, 256, 1000}) {
    const auto gate = floats(count, 4, 4), up = floats(count, 5);
    const auto check = [&](const auto& host, const auto& device, double tolerance) {
      auto want = gate;
      host(want.data());
      const There<float> at(gate);
      device(at.get());
      CHECK(worst_row(at.back(), want, count) <= tolerance);
    };
    const There<float> there(up);
    check([&](float* x) { silu_gate(x, up.data(), count); }, [&](float* x) { cuda::silu_gate(x, there.get(), count, kStream); }, kTolerance);
    check([&](float* x) { gelu_tanh_gate(x, up.data(), count); },
          [&](float* x) { cuda::gelu_tanh_gate(x, there.get(), count, kStream); }, kTolerance);
    check([&](float* x) { gelu_tanh(x, count); }, [&](float* x) { cuda::gelu_tanh(x, count, kStream); }, kTolerance);
    check([&](float* x) { soft_cap(x, count, 2.5f); }, [&](float* x) { cuda::soft_cap(x, count, 2.5f, kStream); }, kTolerance);
    check([&](float* x) { add(x, count, up.data(), count, 1, count); }, [&](float* x) { cuda::add(x, there.get(), count, kStream); }, 0);
  }
  const int64_t rows = 3, width = 300;
  const auto x = floats(rows * width, 6), vector = floats(width, 7);
  const std::vector<float> strengths = {0, 1, -2.5f};
  auto want = x;
  add_bias(want.data(), width, vector.data(), rows, width);
  for (int64_t i = 0; i < rows; ++i) add_scaled(&want[static_cast<size_t>(i * width)], width, vector.data(), width, strengths[static_cast<size_t>(i)], 1, width);
  const There<float> at(x), v(vector), s(strengths);
  cuda::add_bias(at.get(), v.get(), rows, width, kStream);
  cuda::add_scaled_rows(at.get(), v.get(), s.get(), rows, width, kStream);
  CHECK(worst_row(at.back(), want, width) <= kTolerance);
}

CUDA_TEST_CASE("very large and very small values pass through an activation as on the host") {
  const std::vector<float> x = {-1e30f, -200, -90, -1e-30f, 0, 1e-30f, 90, 200, 1e30f};
  const auto count = static_cast<int64_t>(x.size());
  auto want = x;
  const There<float> at(x), ones(std::vector<float>(x.size(), 1.0f));
  silu_gate(want.data(), std::vector<float>(x.size(), 1.0f).data(), count);
  cuda::silu_gate(at.get(), ones.get(), count, kStream);
  const auto got = at.back();
  for (size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    // e^x ends at 88 in one place and at infinity in the other: what is left is next to nothing.
    CHECK(std::fabs(got[i] - want[i]) <= 1e-6 * std::fabs(want[i]) + 1e-8);
  }
}

CUDA_TEST_CASE("what is rounded as it is written has the bits of what is rounded afterwards") {
  const int64_t rows = 5, width = 700, count = rows * width;
  const There<float> x(floats(count, 6, 3)), up(floats(count, 7)), gamma(floats(width, 8)), beta(floats(width, 9));
  const There<uint16_t> rounded(std::vector<uint16_t>(static_cast<size_t>(count))), early(std::vector<uint16_t>(static_cast<size_t>(count)));
  const auto check = [&](const auto& in_place, const auto& apart) {
    const There<float> at(x.back());
    in_place(at.get());
    cuda::round_to_bf16(at.get(), rounded.get(), count, kStream);
    apart(early.get());
    CHECK(early.back() == rounded.back());
  };
  const float *from = x.get(), *factors = gamma.get(), *shifts = beta.get(), *beside = up.get();
  check([&](float* y) { cuda::rms_norm(y, factors, 1e-6f, y, rows, width, kStream); },
        [&](uint16_t* y) { cuda::rms_norm(from, factors, 1e-6f, y, rows, width, kStream); });
  check([&](float* y) { cuda::layer_norm(y, factors, shifts, 1e-6f, y, rows, width, kStream); },
        [&](uint16_t* y) { cuda::layer_norm(from, factors, shifts, 1e-6f, y, rows, width, kStream); });
  check([&](float* y) { cuda::silu_gate(y, beside, count, kStream); },
        [&](uint16_t* y) { cuda::silu_gate(from, beside, y, count, kStream); });
  check([&](float* y) { cuda::gelu_tanh_gate(y, beside, count, kStream); },
        [&](uint16_t* y) { cuda::gelu_tanh_gate(from, beside, y, count, kStream); });
}

CUDA_TEST_CASE("rotary embedding is that of ops/, a partly rotated head too") {
  for (const auto& [heads, head_dim, half] : {std::array<int64_t, 3>{1, 8, 4}, {3, 10, 3}, {4, 128, 64}, {2, 256, 128}}) {
    const std::vector<int32_t> positions = {0, 5, 1, 5, 17};
    const auto rows = static_cast<int64_t>(positions.size());
    std::vector<float> frequencies(static_cast<size_t>(half));
    for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] = std::pow(0.3f, static_cast<float>(i));
    const RotaryAngles angles(frequencies, 1.25f, 18);
    std::vector<float> table, scratch(static_cast<size_t>(2 * half));
    for (int32_t p = 0; p < 18; ++p) table.insert(table.end(), angles.at(p, scratch.data()), angles.at(p, scratch.data()) + 2 * half);
    auto want = floats(rows * heads * head_dim, 8);
    const There<float> at(want), t(table);
    const There<int32_t> where(positions);
    apply_rotary(want.data(), heads * head_dim, positions, heads, head_dim, angles);
    cuda::apply_rotary(at.get(), t.get(), where.get(), rows, heads, head_dim, half, kStream);
    CHECK(worst_row(at.back(), want, heads * head_dim) <= kTolerance);
  }
}

CUDA_TEST_CASE("conversions have the bits of core/dtype.h") {
  std::vector<uint16_t> all(65536);  // every one there is
  std::iota(all.begin(), all.end(), uint16_t{0});
  const There<uint16_t> halves(all);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const There<float> wide(std::vector<float>(all.size()));
    cuda::widen(halves.get(), dtype, wide.get(), 65536, kStream);
    const auto got = wide.back();
    int64_t wrong = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const float want = dtype == DType::bf16 ? bf16_to_f32(all[i]) : f16_to_f32(all[i]);
      wrong += std::memcmp(&got[i], &want, 4) != 0 && !(std::isnan(want) && std::isnan(got[i]));
    }
    CHECK(wrong == 0);
  }
  auto values = floats(4000, 9, 1e3f);
  values.insert(values.end(), {NAN, INFINITY, -INFINITY, 3.4e38f, 1e-45f, 0.0f, -0.0f, 1.00390625f, 1.01171875f});
  const There<float> from(values);
  const There<uint16_t> to(std::vector<uint16_t>(values.size()));
  cuda::round_to_bf16(from.get(), to.get(), static_cast<int64_t>(values.size()), kStream);
  std::vector<uint16_t> want;
  for (const float value : values) want.push_back(f32_to_bf16(value));
  CHECK(to.back() == want);
}

CUDA_TEST_CASE("rows are gathered, and added to with their weights") {
  const int64_t width = 70;
  const auto from = floats(5 * width, 10);
  const There<float> source(from), rows(std::vector<float>(static_cast<size_t>(3 * width)));
  const There<int32_t> which(std::vector<int32_t>{4, 0, 2});
  cuda::gather_rows(source.get(), which.get(), rows.get(), 3, width, kStream);
  std::vector<float> want;
  for (const int64_t row : {4, 0, 2}) want.insert(want.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
  CHECK(rows.back() == want);
  const There<float> weights(std::vector<float>{1, -1, 0.5f});
  cuda::add_weighted_rows(source.get(), which.get(), weights.get(), rows.get(), 3, width, kStream);
  const auto got = source.back();
  for (int64_t j = 0; j < width; ++j) {
    const auto at = [&](int64_t row) { return static_cast<size_t>(row * width + j); };
    CHECK(got[at(4)] == from[at(4)] * 2);
    CHECK(got[at(0)] == 0);
    CHECK(got[at(1)] == from[at(1)]);
    CHECK(got[at(2)] == from[at(2)] * 1.5f);
  }
}

CUDA_TEST_CASE("attention is that of ops/") {
  struct Shape {
    int64_t heads, kv_heads, head_dim, window;
    float softcap;
  };
  for (const auto& [heads, kv_heads, head_dim, window, softcap] :
       {Shape{2, 1, 16, 0, 0}, {4, 2, 64, 0, 0}, {2, 2, 80, 0, 1.5f}, {3, 1, 128, 0, 0}, {2, 1, 256, 0, 0}, {2, 1, 32, 5, 0},
        {2, 1, 200, 40, 2}, {1, 1, 8, 1, 0}, {1, 1, 64, 32, 0}}) {
    for (const int64_t nodes : {1, 12, 75}) {
      CAPTURE(head_dim);
      CAPTURE(window);
      CAPTURE(nodes);
      const auto parents = branching(nodes, static_cast<uint32_t>(nodes + head_dim));
      const AttentionShape shape = {heads, kv_heads, head_dim, 0.3f, softcap, window};
      const auto k = floats(nodes * kv_heads * head_dim, 12), v = floats(nodes * kv_heads * head_dim, 13);
      for (const int64_t first : {int64_t{0}, nodes - 3}) {
        if (first < 0 || (first == 0 && nodes == 75 && head_dim > 64)) continue;
        const int64_t rows = nodes - first;
        const auto q = floats(rows * heads * head_dim, 11);
        std::vector<float> want(q.size());
        tree_attention(q.data(), k.data(), v.data(), want.data(), parents, first, rows, shape, Job());
        const auto got = attention_there(q, k, v, parents, first, rows, shape);
        CHECK(worst_row(got, want, head_dim) <= 1e-5);
        // However the rows are cut into strips and pieces.
        CHECK(attention_there(q, k, v, parents, first, std::max<int64_t>(1, rows / 3), shape) == got);
      }
    }
  }
}

CUDA_TEST_CASE("attention of few rows over long paths is that of ops/, and a row's bits do not depend on the others") {
  // A long text, a shorter one that branches off it, and one of its own: the last tokens of the three decode together.
  const int64_t shared = 300, longer = 290, own = 40;
  std::vector<int32_t> parents;
  for (int64_t i = 0; i < shared + longer + own; ++i) parents.push_back(i == shared + longer ? -1 : static_cast<int32_t>(i - 1));
  const auto nodes = static_cast<int64_t>(parents.size());
  parents.insert(parents.end(), {static_cast<int32_t>(shared + longer - 1), static_cast<int32_t>(shared - 1), static_cast<int32_t>(nodes - 1)});
  for (const auto& shape : {AttentionShape{4, 2, 16, 0.3f, 0, 0}, {6, 1, 64, 0.2f, 0, 100}, {3, 3, 40, 0.3f, 2, 0}, {14, 2, 128, 0.1f, 0, 0}}) {
    CAPTURE(shape.heads);
    const int64_t width = shape.heads * shape.head_dim, kv_width = shape.kv_heads * shape.head_dim;
    const auto q = floats(3 * width, 31), k = floats((nodes + 3) * kv_width, 32), v = floats((nodes + 3) * kv_width, 33);
    std::vector<float> want(q.size());
    tree_attention(q.data(), k.data(), v.data(), want.data(), parents, nodes, 3, shape, Job());
    const auto got = attention_there(q, k, v, parents, nodes, 3, shape, Way::decoding);
    CHECK(worst_row(got, want, shape.head_dim) <= 1e-5);
    // Each alone, at the same place.
    CHECK(attention_there(q, k, v, parents, nodes, 1, shape, Way::decoding) == got);
    // The short one's path is not cut by anybody.
    const auto whole = attention_there(q, k, v, parents, nodes, 3, shape);
    CHECK(std::equal(whole.end() - width, whole.end(), got.end() - width));
    CHECK(worst_row(whole, want, shape.head_dim) <= 1e-5);
  }
}

CUDA_TEST_CASE("attention over a score that is NaN is NaN, and of its row only") {
  const AttentionShape shape = {1, 1, 16, 1, 0, 0};
  const std::vector<int32_t> parents = {-1, 0, 1, 2};
  auto q = floats(4 * 16, 14);
  q[2 * 16 + 3] = NAN;
  const auto k = floats(4 * 16, 15), v = floats(4 * 16, 16);
  const auto got = attention_there(q, k, v, parents, 0, 4, shape);
  for (int64_t row = 0; row < 4; ++row) {
    CAPTURE(row);
    CHECK(std::isnan(got[static_cast<size_t>(row * 16)]) == (row == 2));
  }
}

CUDA_TEST_CASE("attention of long texts by tensor cores is that of ops/ but for rounding, and a row's bits do not depend on the others") {
  // A text, and one that branches off beyond the depth at which tensor cores take over.
  const int64_t shared = cuda::kTensorDepth + 40, longer = 75, other = 30, nodes = shared + longer + other;
  std::vector<int32_t> parents;
  for (int64_t i = 0; i < nodes; ++i) parents.push_back(static_cast<int32_t>(i == shared + longer ? shared - 1 : i - 1));
  const auto rounded = [](std::vector<float> values) {
    for (float& value : values) value = round_to_bf16(value);
    return values;
  };
  const int64_t begin = cuda::kTensorDepth - 9;  // the rows from there on, some of which are not for tensor cores
  for (const auto& shape : {AttentionShape{2, 1, 24, 0.3f, 0, 0}, {1, 1, 128, 0.1f, 3, 0}, {1, 1, 64, 0.2f, 0, 70}}) {
    CAPTURE(shape.head_dim);
    const int64_t width = shape.heads * shape.head_dim, kv_width = shape.kv_heads * shape.head_dim;
    const auto q = rounded(floats((nodes - begin) * width, 41)), k = rounded(floats(nodes * kv_width, 42)), v = rounded(floats(nodes * kv_width, 43));
    std::vector<float> want(q.size());
    tree_attention(q.data(), k.data(), v.data(), want.data(), parents, begin, nodes - begin, shape, Job());
    const auto got = attention_there(q, k, v, parents, begin, nodes - begin, shape, Way::tensor);
    // Inputs are bfloat16 already. Each weight is off by 2^-9 of itself at most, while values of either sign cancel.
    CHECK(worst_row(got, want, shape.head_dim) <= 0x1p-8);
    if (shape.head_dim != 24) continue;
    CHECK(attention_there(q, k, v, parents, begin, 50, shape, Way::tensor) == got);
    // The same rows without the text that branches off, and those of few ancestors as by the other kernel.
    const std::vector<int32_t> first(parents.begin(), parents.begin() + shared + longer);
    const int64_t rows = shared + longer - begin;
    const auto alone = attention_there({q.begin(), q.begin() + rows * width}, k, v, first, begin, rows, shape, Way::tensor);
    CHECK(std::equal(alone.begin(), alone.end(), got.begin()));
    const auto plain = attention_there(q, k, v, parents, begin, nodes - begin, shape);
    const auto same = std::mismatch(plain.begin(), plain.end(), got.begin()).first - plain.begin();
    CHECK(same >= (cuda::kTensorDepth - begin) * width);
    CHECK(same < (cuda::kTensorDepth - begin + 2) * width);
  }
  // What a row does not see leaves no trace.
  const AttentionShape shape = {1, 1, 16, 0.3f, 0, 0};
  const auto q = floats((nodes - begin) * 16, 44), k = floats(nodes * 16, 45);
  auto v = floats(nodes * 16, 46);
  const int64_t bad = cuda::kTensorDepth + 20;
  v[static_cast<size_t>(bad * 16 + 3)] = INFINITY;
  const auto got = attention_there(q, k, v, parents, begin, nodes - begin, shape, Way::tensor);
  for (const int64_t row : {bad - 1, bad, bad + 1, shared + longer})
    CHECK(std::isfinite(got[static_cast<size_t>((row - begin) * 16 + 3)]) == (row < bad));
}

CUDA_TEST_CASE("what a row does not see does not reach it, whatever it is") {
  const std::vector<int32_t> parents = {-1, 0, 1};
  const auto q = floats(3 * 16, 14), k = floats(3 * 16, 15);
  const auto v = floats(3 * 16, 16);
  for (const float strange : {NAN, INFINITY}) {
    auto child = v;  // which its ancestors do not see
    child[2 * 16 + 3] = strange;
    const auto up = attention_there(q, k, child, parents, 0, 3, {1, 1, 16, 1, 0, 0});
    auto ancestor = v;  // which is outside of the others' windows
    ancestor[3] = strange;
    const auto down = attention_there(q, k, ancestor, parents, 0, 3, {1, 1, 16, 1, 0, 1});
    for (size_t row = 0; row < 3; ++row) {
      CAPTURE(row);
      CHECK(std::isfinite(up[row * 16 + 3]) == (row != 2));
      CHECK(std::isfinite(down[row * 16 + 3]) == (row != 0));
    }
  }
}

CUDA_TEST_CASE("a strip has as many rows as are each other's parents, however long the paths to them") {
  std::vector<int32_t> parents(40);
  std::iota(parents.begin(), parents.end(), -1);
  cuda::AttentionPlan plan;
  plan.make(test_machine(), parents, 0, 40, 64, false);
  CHECK(plan.job(0, 40).rows_of_strip == cuda::strip_rows(64, 40));
  plan.make(test_machine(), parents, 39, 1, 64, false);
  CHECK(plan.job(39, 1).rows_of_strip == 1);
  CHECK(cuda::strip_rows(64, 1) < cuda::strip_rows(64, 40));
}

CUDA_TEST_CASE("products of few rows are those of ops/, and a row's bits do not depend on the others") {
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{1, 1}, {5, 7}, {16, 64}, {33, 40}, {70, 264}, {9, 1000}}) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      RowMatrix w;
      w.reset(out, in, dtype);
      const auto values = floats(out * in, 17, 0.5f);
      for (int64_t i = 0; i < out * in; ++i) {
        const float value = values[static_cast<size_t>(i)];
        const auto half = dtype == DType::bf16 ? f32_to_bf16(value) : static_cast<uint16_t>((i * 977) % 0x3c00);
        std::memcpy(w.row(0) + i * size_of(dtype), dtype == DType::f32 ? static_cast<const void*>(&value) : &half,
                    static_cast<size_t>(size_of(dtype)));
      }
      const There<uint8_t> weights({w.row(0), w.row(0) + w.bytes()});
      const auto x = floats(11 * in, 18);
      const There<float> from(x);
      std::vector<float> alone;
      for (const int64_t rows : {1, 3, 11}) {
        CAPTURE(out);
        CAPTURE(in);
        CAPTURE(rows);
        std::vector<float> want(static_cast<size_t>(rows * out));
        row_product(w, x.data(), in, want.data(), out, rows, Job());
        const There<float> to(want);
        cuda::row_product({weights.get(), dtype, from.get(), to.get(), rows, out, in, out}, kStream);
        const auto got = to.back();
        CHECK(worst_row(got, want, static_cast<int64_t>(want.size())) <= kTolerance);
        if (rows == 1) alone = got;
        CHECK(std::equal(alone.begin(), alone.end(), got.begin()));
        cuda::row_product({weights.get(), dtype, from.get(), to.get(), rows, out, in, out, false, true, -1}, kStream);
        CHECK(to.back() == std::vector<float>(want.size(), 0.0f));
      }
    }
  }
}

CUDA_TEST_CASE("products are those of ops/, and a row's bits do not depend on the others") {
  const int64_t most = cuda_devices().front().name == "emulator" ? 40 : 9000;
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{1, 1}, {7, 5}, {64, 64}, {96, 200}, {513, 384}}) {
    for (const bool narrow : {false, true}) {
      auto x = floats(most * in, 30), w = floats(out * in, 31, 0.1f);
      std::vector<uint16_t> x16, w16;
      for (float& value : x) x16.push_back(f32_to_bf16(value)), value = narrow ? round_to_bf16(value) : value;
      for (float& value : w) w16.push_back(f32_to_bf16(value)), value = narrow ? round_to_bf16(value) : value;
      const There<float> x_wide(x), w_wide(w);
      const There<uint16_t> x_half(x16), w_half(w16);
      const void *from = narrow ? static_cast<void*>(x_half.get()) : x_wide.get(), *weights = narrow ? static_cast<void*>(w_half.get()) : w_wide.get();
      std::vector<float> want(static_cast<size_t>(most * out)), all;
      matmul_reference(x.data(), in, w.data(), want.data(), out, most, in, out);
      for (const int64_t rows : {most, int64_t{1}, int64_t{3}, int64_t{17}, most / 2, most - 1}) {
        CAPTURE(out);
        CAPTURE(in);
        CAPTURE(rows);
        CAPTURE(narrow);
        const There<float> to(std::vector<float>(static_cast<size_t>(rows * out), NAN));  // beta 0 must not read it
        test_machine().products.multiply({from, weights, to.get(), rows, out, in, out, narrow}, kStream);
        const auto got = to.back();
        if (all.empty()) {
          all = got;
          CHECK(worst_row(got, want, rows * out) <= 2e-6);
        }
        CHECK(std::equal(got.begin(), got.end(), all.begin()));
        test_machine().products.multiply({from, weights, to.get(), rows, out, in, out, narrow, -1, true}, kStream);
        const auto none = to.back();
        int64_t wrong = 0;
        for (size_t i = 0; i < got.size(); ++i) wrong += !(std::fabs(none[i]) <= 1e-5 * (1 + std::fabs(got[i])));
        CHECK(wrong == 0);
      }
    }
  }
}

CUDA_TEST_CASE("moments are those of diff/, sums to the bit") {
  const int64_t nodes = 40, width = 150, swaps = 13;
  auto base = floats(nodes * width, 19, 100), finetuned = floats(nodes * width, 20, 100);
  base[3 * width + 5] = NAN;
  finetuned[9 * width + 7] = 1e12f;  // beyond what is summed
  finetuned[4 * width + 1] = 1e-30f;
  for (const bool compat : {false, true}) {
    PairSamples samples;
    samples.first = {0, 15, 15, 37};
    samples.d_model = width, samples.swaps = swaps, samples.compat = compat;
    std::mt19937 bits(21);
    for (int64_t e = 0; e < 37; ++e) {
      samples.node.push_back(static_cast<int32_t>(bits() % nodes));
      samples.count.push_back(1 + bits() % 9);
      samples.even.push_back(bits() % 2);
      for (int64_t s = 0; s < swaps; ++s) samples.signs.push_back(static_cast<int32_t>(bits() % 7) - 3);
    }
    const There<float> b(base), f(finetuned);
    const There<int32_t> node(samples.node), signs(samples.signs);
    const There<int64_t> first(samples.first), count(samples.count), even(samples.even);
    const int64_t kinds = cuda::kPairSums + swaps;
    const There<int128> sums(std::vector<int128>(static_cast<size_t>(3 * kinds * width), 77));
    const There<int64_t> spoiled(std::vector<int64_t>(static_cast<size_t>(3 * width), 77));
    const There<double> norms(std::vector<double>(3 * 37, 77));
    const cuda::PairJob job = {b.get(), f.get(), node.get(), first.get(), count.get(), even.get(), signs.get(), 3, 37, width, swaps, compat};
    cuda::pair_sums(job, sums.get(), spoiled.get(), kStream);
    cuda::pair_norms(job, norms.get(), kStream);
    const auto got = sums.back();
    const auto unfit = spoiled.back();
    int64_t wrong = 0;
    for (int64_t p = 0; p < 3; ++p) {
      for (int64_t j = 0; j < width; ++j) {
        std::vector<int128> want(static_cast<size_t>(kinds));
        int64_t left_out = 0;
        for (int64_t e = samples.first[static_cast<size_t>(p)]; e < samples.first[static_cast<size_t>(p + 1)]; ++e) {
          const auto at = static_cast<size_t>(samples.node[static_cast<size_t>(e)] * width + j), i = static_cast<size_t>(e);
          const auto rounded = [&](float x) { return compat ? round_to_bf16(x) : x; };
          const float x = rounded(base[at]), y = rounded(finetuned[at]);
          const int64_t bad = !FixedSum::fits(x) + !FixedSum::fits(y);
          left_out += bad * samples.count[i];
          if (bad > 0) continue;
          const int128 diff = compat ? FixedSum::to_units(round_to_bf16(y - x)) : FixedSum::to_units(y) - FixedSum::to_units(x);
          want[0] += FixedSum::to_units(x) * samples.count[i];
          want[1] += FixedSum::to_units(y) * samples.count[i];
          want[2] += diff * samples.count[i];
          want[3] += diff * samples.even[i];
          want[4] += FixedSum::to_units(x) * samples.even[i];
          for (int64_t s = 0; s < swaps; ++s) want[static_cast<size_t>(5 + s)] += diff * samples.signs[i * swaps + static_cast<size_t>(s)];
        }
        for (int64_t kind = 0; kind < kinds; ++kind) wrong += got[static_cast<size_t>((p * kinds + kind) * width + j)] != want[static_cast<size_t>(kind)];
        wrong += unfit[static_cast<size_t>(p * width + j)] != left_out;
      }
    }
    CHECK(wrong == 0);
    const auto lengths = norms.back();
    for (size_t e = 0; e < 37; ++e) {
      const float *x = &base[static_cast<size_t>(samples.node[e] * width)], *y = &finetuned[static_cast<size_t>(samples.node[e] * width)];
      const double want[] = {row_norm(x, width, compat), row_norm(y, width, compat), squared_distance(x, y, width, compat)};
      for (size_t i = 0; i < 3; ++i) {
        if (std::isnan(want[i])) {
          CHECK(std::isnan(lengths[3 * e + i]));
        } else {
          CHECK(std::fabs(lengths[3 * e + i] - want[i]) <= 1e-13 * want[i]);
        }
      }
    }
  }
}
