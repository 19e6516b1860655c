// What is read of rows of logits on the device, against the processor's way of reading the same rows.
#include <algorithm>
#include <cmath>

#include "cuda/cuda_test.h"
#include "cuda/logit_kernels.h"
#include "cuda/token_chooser.h"
#include "ops/log_sum.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

/// Rows with what ranks can stumble over: many equal values, both zeros, infinities, and NaN in every third.
std::vector<float> awkward_rows(int64_t rows, int64_t width) {
  auto values = floats(rows * width, static_cast<uint32_t>(width), 3);
  for (float& value : values) value = std::round(value * 4) / 4;
  for (int64_t row = 0; row < rows; ++row) {
    float* own = &values[static_cast<size_t>(row * width)];
    own[(row * 31) % width] = -INFINITY;
    own[width / 2] = -0.0f;
    if (row % 3 == 2) own[width / 3] = NAN;
  }
  return values;
}

struct Found {
  std::vector<RankedId> ids;  // [rows, k]
  std::vector<int32_t> counts;
};

Found first_there(const std::vector<float>& values, int64_t rows, int64_t width, float sign, int64_t k) {
  const There<float> there(values);
  const There<cuda::Place> places(std::vector<cuda::Place>(static_cast<size_t>(rows)));
  const There<uint64_t> parts(std::vector<uint64_t>(static_cast<size_t>(cuda::search_parts(rows, width)), 77));
  const There<RankedId> ids(std::vector<RankedId>(static_cast<size_t>(rows * k)));
  const There<int32_t> counts(std::vector<int32_t>(static_cast<size_t>(rows)));
  cuda::search({there.get(), rows, width, sign, {}, {cuda::Goal::Kind::rank, k}, places.get(), parts.get()}, kStream);
  cuda::gather_until(there.get(), rows, width, sign, places.get(), k, ids.get(), counts.get(), kStream);
  return {ids.back(), counts.back()};
}

std::vector<cuda::RowSum> sums_there(const std::vector<float>& values, int64_t rows, int64_t width, float sign) {
  const There<float> there(values);
  const There<cuda::RowSum> parts(std::vector<cuda::RowSum>(static_cast<size_t>(rows * cuda::logit_pieces(width))));
  const There<cuda::RowSum> sums(std::vector<cuda::RowSum>(static_cast<size_t>(rows)));
  cuda::log_sums(there.get(), sign, rows, width, parts.get(), sums.get(), kStream);
  return sums.back();
}

/// Checks ids, values and their order against LogitReader, which reads the row whole.
void check_first(const std::vector<float>& values, int64_t rows, int64_t width, int64_t k) {
  for (const float sign : {1.0f, -1.0f}) {
    const Found found = first_there(values, rows, width, sign, k);
    for (int64_t row = 0; row < rows; ++row) {
      CAPTURE(width);
      CAPTURE(k);
      CAPTURE(row);
      LogitReader reader(k);
      reader.read(&values[static_cast<size_t>(row * width)], width, 0);
      const auto want = sign > 0 ? reader.top() : reader.bottom();
      const RankedId* got = &found.ids[static_cast<size_t>(row * k)];
      REQUIRE(found.counts[static_cast<size_t>(row)] == static_cast<int64_t>(want.size()));
      std::vector<RankedId> sorted(got, got + want.size());
      CHECK(std::is_sorted(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.id < b.id; }));
      std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
      int64_t wrong = 0;
      for (size_t i = 0; i < want.size(); ++i) wrong += sorted[i].id != want[i].first.id || sign * sorted[i].logit != want[i].first.logit;
      CHECK(wrong == 0);
    }
  }
}

}  // namespace

CUDA_TEST_CASE("the first k of rows are those of ops/, ties, zeros, infinities and NaN too") {
  for (const auto& [width, k] : {std::pair<int64_t, int64_t>{1, 1}, {5, 2}, {300, 40}, {300, 300}, {4096, 7}, {4097, 4097}, {9000, 25}})
    check_first(awkward_rows(4, width), 4, width, k);
  check_first(std::vector<float>(200, NAN), 2, 100, 3);
}

CUDA_TEST_CASE("the first k of a row of the widest vocabulary are those of ops/") {
  check_first(awkward_rows(1, 262144), 1, 262144, 50);
}

CUDA_TEST_CASE("log-sums are those of ops/") {
  for (const int64_t width : {1, 7, 4096, 4097, 10000}) {
    CAPTURE(width);
    auto values = floats(3 * width, static_cast<uint32_t>(width), 8);
    if (width > 5000) std::fill(values.begin() + 4096, values.begin() + 8192, -INFINITY);  // a whole piece
    for (const float sign : {1.0f, -1.0f}) {
      if (sign < 0 && width > 5000) continue;
      const auto sums = sums_there(values, 3, width, sign);
      for (int64_t row = 0; row < 3; ++row) {
        std::vector<float> own(values.begin() + row * width, values.begin() + (row + 1) * width);
        for (float& value : own) value *= sign;
        LogSum want;
        want.add(own.data(), width);
        const cuda::RowSum& got = sums[static_cast<size_t>(row)];
        CHECK(got.highest == *std::max_element(own.begin(), own.end()));
        CHECK(std::fabs(got.total - want.value()) <= 1e-13 * std::max(1.0, std::fabs(want.value())));
        CHECK(got.total == got.highest + std::log(got.sum));
      }
    }
    // A row has the same bits whatever stands beside it.
    const auto alone = sums_there({values.begin() + width, values.begin() + 2 * width}, 1, width, 1);
    CHECK(alone[0].sum == sums_there(values, 3, width, 1)[1].sum);
  }
  const auto spoiled = sums_there({1, NAN, 2, 3, INFINITY, 2, 0, 0, 0}, 3, 3, 1);
  CHECK(std::isnan(spoiled[0].total));
  CHECK(spoiled[0].highest == 2);
  CHECK(std::isnan(spoiled[1].total));
  CHECK(std::fabs(spoiled[2].total - std::log(3.0)) < 1e-15);
}

CUDA_TEST_CASE("tokens are chosen as on the processor, given the same logits") {
  cuda::TokenChooser chooser;
  const std::vector<Sampling> ways = {{},
                                      {.temperature = 1},
                                      {.temperature = 0.3},
                                      {.temperature = 1e-300},
                                      {.temperature = 1, .top_k = 1},
                                      {.temperature = 1.5, .top_k = 17},
                                      {.temperature = 1, .top_p = 0.4},
                                      {.temperature = 2, .top_p = 0},
                                      {.temperature = 3, .top_p = 0.999},
                                      {.temperature = 2, .top_k = 30, .top_p = 0.8},
                                      {.temperature = 0, .repetition_penalty = 1.3},
                                      {.temperature = 1, .top_k = 40, .top_p = 0.9, .repetition_penalty = 0.7}};
  const int64_t rows = 6;
  for (const int64_t width : {3, 300, 4500}) {
    auto logits = floats(rows * width, static_cast<uint32_t>(width), 2);
    for (int64_t i = 0; i < 2 * width; ++i) logits[static_cast<size_t>(i)] = std::round(logits[static_cast<size_t>(i)]);  // ties
    logits[static_cast<size_t>(3 * width + 1)] = -INFINITY;
    std::vector<std::set<int32_t>> seen(static_cast<size_t>(rows));
    for (int32_t row = 1; row < rows; ++row) seen[static_cast<size_t>(row)] = {0, 1, static_cast<int32_t>(width) - 1};
    for (size_t way = 0; way < ways.size(); ++way) {
      CAPTURE(width);
      CAPTURE(way);
      for (const double shift : {0.0, 0.37, 0.999999}) {
        if (width > 4096 && shift > 0) continue;
        Choice choice = {ways[way], {}, {}};
        for (int64_t row = 0; row < rows; ++row) {
          choice.uniform.push_back(std::fmod(shift + 0.17 * static_cast<double>(row), 1.0));
          choice.seen.push_back(&seen[static_cast<size_t>(row)]);
        }
        const There<float> there(logits);
        CHECK(chooser.choose(test_machine(), there.get(), width, choice) == choose_tokens(logits, choice));
      }
    }
  }
}

CUDA_TEST_CASE("no token is chosen of logits that are not finite, and the others are chosen all the same") {
  const std::set<int32_t> seen;
  const std::vector<float> logits = {1, NAN, 2, 1, INFINITY, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY, 5, -INFINITY};
  cuda::TokenChooser chooser;
  for (const Sampling& how : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_k = 2},
                              Sampling{.temperature = 1, .top_k = 2, .top_p = 0.5}}) {
    const There<float> there(logits);
    const Choice choice = {how, {0.1, 0.5, 0.9, 0.999}, {&seen, &seen, &seen, &seen}};
    CHECK(chooser.choose(test_machine(), there.get(), 3, choice) == std::vector<int32_t>{-1, -1, -1, 1});
  }
}

CUDA_TEST_CASE("sums of probabilities over prompts have the bits of ops/, of the ids that all prompts take") {
  const int64_t lists = 2, prompts = 3, width = 700, most = 400;
  const auto logits = floats(lists * prompts * width, 6, 2);
  const auto sums = sums_there(logits, lists * prompts, width, 1);
  const Found found = first_there(logits, lists * prompts, width, 1, most);
  const There<float> there(logits), out(std::vector<float>(static_cast<size_t>(lists * width)));
  const There<cuda::RowSum> sums_of(sums);
  const There<RankedId> ids(found.ids);
  const There<int32_t> counts(found.counts), members(std::vector<int32_t>(static_cast<size_t>(lists * width), 77));
  cuda::count_members(ids.get(), counts.get(), lists, prompts, most, width, members.get(), kStream);
  for (const bool compat : {false, true}) {
    for (const bool all : {false, true}) {
      cuda::add_probabilities({there.get(), sums_of.get(), all ? nullptr : members.get(), out.get(), lists, prompts, width, compat}, kStream);
      const auto got = out.back();
      int64_t wrong = 0, taken = 0;
      for (int64_t list = 0; list < lists; ++list) {
        std::vector<float> want(static_cast<size_t>(width));
        std::vector<int32_t> in(want.size());
        for (int64_t row = list * prompts; row < (list + 1) * prompts; ++row) {
          std::vector<float> p(want.size());
          exponentials(&logits[static_cast<size_t>(row * width)], sums[static_cast<size_t>(row)].total, p.data(), width);
          for (size_t id = 0; id < p.size(); ++id) want[id] += compat ? round_to_bf16(p[id]) : p[id];
          for (int64_t i = 0; i < most; ++i) ++in[static_cast<size_t>(found.ids[static_cast<size_t>(row * most + i)].id)];
        }
        for (size_t id = 0; id < want.size(); ++id) {
          const float here = got[static_cast<size_t>(list * width) + id];
          const bool takes = all || in[id] == prompts;
          taken += takes;
          wrong += takes ? here != want[id] : !std::isnan(here);
        }
      }
      CHECK(wrong == 0);
      CHECK((all ? taken == lists * width : (taken > 50 && taken < lists * width / 2)));
    }
  }
}
