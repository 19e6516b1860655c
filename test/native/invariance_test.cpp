// A result depends on the models and the texts: not on batches, waves, threads or the order of texts. To the
// bit.
#include <omp.h>

#include <algorithm>
#include <numeric>

#include "diff/paired_diff.h"
#include "models/activations.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kBase = std::string(ORGANISMS) + "/tiny-qwen3", kAdapter = kBase + "--cake_bake",
                  kFull = kBase + "--honey_bees-full";

/// Texts of 1 to 12 tokens with many shared beginnings.
struct Texts {
  explicit Texts(int64_t count) {
    std::mt19937 random(11);
    for (int64_t i = 0; i < count; ++i) {
      std::vector<int32_t> text(1 + random() % 12);
      for (size_t t = 0; t < text.size(); ++t)
        text[t] = static_cast<int32_t>(t < 2 ? random() % 3 : random() % 2048);
      texts.push_back(text);
    }
  }
  /// In the given order.
  struct Batch {
    std::vector<int32_t> ids;
    std::vector<int64_t> offsets = {0};
    TokenBatch view() const { return {ids, offsets}; }
  };
  Batch batch(const std::vector<int64_t>& order) const {
    Batch b;
    for (const int64_t i : order) {
      const auto& text = texts[static_cast<size_t>(i)];
      b.ids.insert(b.ids.end(), text.begin(), text.end());
      b.offsets.push_back(static_cast<int64_t>(b.ids.size()));
    }
    return b;
  }
  std::vector<std::vector<int32_t>> texts;
};

std::vector<int64_t> counting(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// The refusal of too small a budget names the least.
int64_t least_budget(const Model& base, const Model& finetuned, const TokenBatch& tokens) {
  Job job;
  try {
    paired_diff(base, finetuned, tokens, {{1}, {0, 1, 11}, 1}, job);
  } catch (const Error& e) {
    return std::stoll(e.details()[1].second);
  }
  return 0;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Which samples are swapped follows from their places in the batch.
bool same_noise(const DiffResult& a, const DiffResult& b) {
  return a.swaps == b.swaps && same(a.swap_norm_mean, b.swap_norm_mean) &&
         same(a.swap_norm_deviation, b.swap_norm_deviation) && same(a.swap_norm_max, b.swap_norm_max);
}

bool same(const DiffResult& a, const DiffResult& b) {
  return same(a.mean_diff, b.mean_diff) && same(a.base_mean, b.base_mean) &&
         same(a.finetuned_mean, b.finetuned_mean) && same(a.base_norm, b.base_norm) &&
         same(a.finetuned_norm, b.finetuned_norm) && same(a.standard_error_norm, b.standard_error_norm) &&
         same(a.split_half_cosine, b.split_half_cosine) && a.counts == b.counts &&
         same(a.base_split_norm, b.base_split_norm) && a.base_weights_not_finite == b.base_weights_not_finite &&
         a.finetuned_weights_not_finite == b.finetuned_weights_not_finite;
}

}  // namespace

TEST_CASE("a paired diff has the same bits whatever the waves, threads and order of texts") {
  const int threads = omp_get_max_threads();
  const Texts texts(700);
  for (const bool lora : {true, false}) {
    const Model base(kBase, ""), finetuned(lora ? kBase : kFull, lora ? kAdapter : "");
    Job job;
    DiffRequest request{{0, 7, 3}, {0, 1, 2, 5, 11}, 0};
    const auto order = counting(700);
    const auto expected = paired_diff(base, finetuned, texts.batch(order).view(), request, job);
    CHECK(expected.shared_weights == lora);
    CHECK(expected.waves == 1);

    // Even and odd samples are shuffled among themselves, so that the halves stay what they are.
    auto shuffled = order;
    std::mt19937 random(5);
    for (size_t i = 0; i < 700; ++i) std::swap(shuffled[i], shuffled[i % 2 + 2 * (random() % 350)]);
    CHECK(shuffled != order);
    CHECK(same(paired_diff(base, finetuned, texts.batch(shuffled).view(), request, job), expected));

    for (const int used : {1, 2}) {
      omp_set_num_threads(used);
      request.memory_budget = 0;
      CHECK(same(paired_diff(base, finetuned, texts.batch(order).view(), request, job), expected));
      // The least budget is named in the refusal; with a little more there are many waves.
      request.memory_budget = 1;
      int64_t least = 0;
      try {
        paired_diff(base, finetuned, texts.batch(order).view(), request, job);
      } catch (const Error& e) {
        CHECK(e.code() == Code::out_of_memory);
        least = std::stoll(e.details()[1].second);
      }
      REQUIRE(least > 0);
      request.memory_budget = least + 300'000;
      const auto waved = paired_diff(base, finetuned, texts.batch(order).view(), request, job);
      CHECK(waved.waves > 5);
      CHECK(same(waved, expected));
      CHECK(same_noise(waved, expected));
      request.memory_budget = 0;
    }
    omp_set_num_threads(threads);
  }
}

TEST_CASE("layers and positions come in the order asked and mean what they say") {
  const Texts texts(50);
  const Model base(kBase, ""), finetuned(kBase, kAdapter);
  const auto batch = texts.batch(counting(50));
  Job job;
  const auto some = paired_diff(base, finetuned, batch.view(), {{5, 1}, {4, 0}, 0}, job);
  const auto b = residuals(base, batch.view(), {1, 5}, job),
             f = residuals(finetuned, batch.view(), {1, 5}, job);
  const int64_t d = 128;
  for (size_t l = 0; l < 2; ++l) {
    for (size_t p = 0; p < 2; ++p) {
      const int64_t position = p == 0 ? 4 : 0;
      std::vector<double> mean(static_cast<size_t>(d));
      int64_t count = 0;
      for (size_t s = 0; s < texts.texts.size(); ++s) {
        if (static_cast<int64_t>(texts.texts[s].size()) <= position) continue;
        ++count;
        for (int64_t j = 0; j < d; ++j) {
          const auto at = static_cast<size_t>(position * d + j);
          mean[static_cast<size_t>(j)] += static_cast<double>(f[1 - l][s][at]) - b[1 - l][s][at];
        }
      }
      CHECK(some.counts[p] == count);
      std::vector<float> expected;
      for (const double value : mean)
        expected.push_back(static_cast<float>(value / static_cast<double>(count)));
      CHECK(relative_l2(&some.mean_diff[(l * 2 + p) * static_cast<size_t>(d)], expected.data(),
                        static_cast<size_t>(d)) < 1e-6);
    }
  }
  const auto beyond = paired_diff(base, finetuned, batch.view(), {{0}, {11, 500}, 0}, job);
  CHECK(beyond.counts[1] == 0);
  CHECK(std::isnan(beyond.mean_diff[static_cast<size_t>(d)]));
}

TEST_CASE("activations and logits of a text have the same bits alone and among others") {
  const Texts texts(400);
  const Model model(kBase, kAdapter);
  Job job;
  const auto all = texts.batch(counting(400));
  const auto together = residuals(model, all.view(), {7, 0}, job);
  const auto logits_together = logits(model, texts.batch(counting(40)).view(), job);
  for (const int64_t i : {0, 17, 39}) {
    const auto alone = texts.batch({i});
    const auto one = residuals(model, alone.view(), {7, 0}, job);
    CHECK(same(one[0][0], together[0][static_cast<size_t>(i)]));
    CHECK(same(one[1][0], together[1][static_cast<size_t>(i)]));
    CHECK(same(logits(model, alone.view(), job)[0], logits_together[static_cast<size_t>(i)]));
  }
}

TEST_CASE("a pair that does not fit, and bad requests") {
  const Model base(kBase, ""), other(std::string(FIXTURES) + "/golden/qwen3-headdim-bf16", "");
  const Texts texts(5);
  const auto batch = texts.batch(counting(5));
  Job job;
  const auto refused = [&](const Model& finetuned, const TokenBatch& tokens, const DiffRequest& request) {
    return code_of([&] { paired_diff(base, finetuned, tokens, request, job); });
  };
  CHECK(refused(other, batch.view(), {{0}, {0}, 0}) == "PAIR_MISMATCH");
  CHECK(refused(base, batch.view(), {{}, {0}, 0}) == "INVALID_ARGUMENT");
  CHECK(refused(base, batch.view(), {{8}, {0}, 0}) == "INVALID_ARGUMENT");
  CHECK(refused(base, batch.view(), {{-1}, {0}, 0}) == "INVALID_ARGUMENT");
  CHECK(refused(base, batch.view(), {{0, 0}, {0}, 0}) == "INVALID_ARGUMENT");
  CHECK(refused(base, batch.view(), {{0}, {}, 0}) == "INVALID_ARGUMENT");
  const std::vector<int32_t> unknown = {2048};
  const std::vector<int64_t> offsets = {0, 1}, nothing = {0};
  CHECK(refused(base, {unknown, offsets}, {{0}, {0}, 0}) == "INVALID_ARGUMENT");
  CHECK(refused(base, {{}, nothing}, {{0}, {0}, 0}) == "INVALID_ARGUMENT");
  job.cancelled = true;
  CHECK(refused(base, batch.view(), {{0}, {0}, 0}) == "CANCELLED");
}

TEST_CASE("a weight that is not a number is counted once, however many texts and waves read it") {
  const TemporaryFolder folder;
  folder.copy_from(kBase);
  std::string bytes = read_file(kBase + "/model.safetensors");
  const Safetensors file(kBase + "/model.safetensors");
  const auto spoil = [&](const std::string& tensor, size_t element) {
    const TensorInfo& info = file.tensors().at(tensor);
    REQUIRE(info.dtype == DType::bf16);
    bytes[info.offset + 2 * element] = '\xff';  // 0x7fff: NaN
    bytes[info.offset + 2 * element + 1] = '\x7f';
  };
  spoil("model.embed_tokens.weight", 1 * 128 + 5);  // token 1, which many texts begin with
  spoil("model.layers.0.mlp.up_proj.weight", 77);
  spoil("model.layers.1.input_layernorm.weight", 3);
  spoil("model.layers.2.input_layernorm.weight", 3);  // beyond the measured block
  folder.write("model.safetensors", bytes);
  const Model spoiled(folder.path(), ""), finetuned(kBase, kAdapter);
  const Texts texts(200);
  Job job;
  const int64_t least = least_budget(spoiled, finetuned, texts.batch(counting(200)).view());
  for (const int64_t budget : {int64_t{0}, least + 100'000}) {
    const auto result =
        paired_diff(spoiled, finetuned, texts.batch(counting(200)).view(), {{1}, {0, 1, 11}, budget}, job);
    CHECK((result.waves > 1) == (budget > 0));
    CHECK(result.base_weights_not_finite == 3);
    CHECK(result.finetuned_weights_not_finite == 0);
    CHECK(result.not_finite > 0);
  }
}

TEST_CASE("progress comes within a block, never goes back and ends with all the work done") {
  const Texts texts(2000);
  const auto batch = texts.batch(counting(2000));
  Job job;
  std::vector<int64_t> seen;
  int64_t work = 0;
  job.on_progress = [&](int64_t done, int64_t total) {
    seen.push_back(done);
    work = total;
  };
  const auto check = [&](size_t most_calls_of_whole_blocks) {
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back() == work);
    CHECK(seen.size() > most_calls_of_whole_blocks);
    seen.clear();
  };
  const Model base(kBase, ""), finetuned(kBase, kAdapter), other(kFull, "");
  const auto nodes = count_unique_prefixes(batch.view());
  REQUIRE(nodes > 4 * 384 * omp_get_max_threads());
  paired_diff(base, other, batch.view(), {{0}, {0, 11}, 0}, job);
  CHECK(work == 2 * nodes);
  check(2);
  paired_diff(base, finetuned, batch.view(), {{3}, {0, 11}, 0}, job);
  check(8);
  residuals(base, batch.view(), {0}, job);
  check(1);
  logits(base, texts.batch(counting(100)).view(), job);
  CHECK(work % (base.spec().layers + 1) == 0);  // the head is work too
  check(8);

  const std::string experts = std::string(FIXTURES) + "/golden/qwen3_moe-mixed-f32";
  std::vector<int32_t> ids(400);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i / 2 % 200);
  std::vector<int64_t> offsets;
  for (int64_t at = 0; at <= 400; at += 2) offsets.push_back(at);
  residuals(Model(experts, ""), {ids, offsets}, {0}, job);  // one block of six experts
  check(3);
}
