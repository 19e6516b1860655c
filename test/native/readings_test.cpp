// Readings against plain loops: what is fast by what is obvious. The numbers themselves are held against transformers in
// test/facade/readings.test.ts.
#include <omp.h>

#include <algorithm>
#include <numeric>

#include "models/activations.h"
#include "ops/log_sum.h"
#include "readings/causal_effect.h"
#include "readings/cross_entropy.h"
#include "readings/embedding.h"
#include "readings/kl_divergence.h"
#include "readings/nearest.h"
#include "readings/patchscope.h"
#include "readings/principal_components.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kBase = std::string(ORGANISMS) + "/tiny-qwen3", kAdapter = kBase + "--cake_bake",
                  kFull = kBase + "--honey_bees-full", kGolden = std::string(FIXTURES) + "/golden/";

struct Batch {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  TokenBatch view() const { return {ids, offsets}; }
  void add(const std::vector<int32_t>& text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
};

/// Texts of 1 to 9 tokens that often begin alike, some of them equal.
Batch some_texts(size_t count, int32_t vocabulary) {
  std::mt19937 random(3);
  Batch batch;
  for (size_t i = 0; i < count; ++i) {
    std::vector<int32_t> text(1 + random() % 9);
    for (size_t t = 0; t < text.size(); ++t)
      text[t] = static_cast<int32_t>(t < 2 ? random() % 2 : random() % static_cast<uint32_t>(vocabulary));
    batch.add(text);
  }
  return batch;
}

/// log softmax of a row in float64.
std::vector<double> log_softmax(const float* row, int64_t count) {
  double highest = row[0], sum = 0;
  for (int64_t i = 0; i < count; ++i) highest = std::max(highest, static_cast<double>(row[i]));
  for (int64_t i = 0; i < count; ++i) sum += std::exp(row[i] - highest);
  std::vector<double> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(row[i] - highest - std::log(sum));
  return result;
}

}  // namespace

TEST_CASE("a log-sum is that of float64, whatever the pieces' sizes") {
  const auto x = random_floats(10'000, 1, 20);
  double highest = -INFINITY, sum = 0;
  for (const float value : x) highest = std::max(highest, static_cast<double>(value));
  for (const float value : x) sum += std::exp(value - highest);
  for (const int64_t piece : {1, 7, 512, 4096, 10'000}) {
    LogSum total;
    for (int64_t at = 0; at < 10'000; at += piece) total.add(x.data() + at, std::min(piece, 10'000 - at));
    CHECK(std::fabs(total.value() - (highest + std::log(sum))) < 1e-13);
  }
  LogSum spoiled;
  const float nan[] = {1.0f, NAN};
  spoiled.add(nan, 2);
  CHECK(std::isnan(spoiled.value()));
}

TEST_CASE("patching one more token reads the same as running whole prompts") {
  for (const std::string name : {"qwen3-headdim-bf16", "gemma2-softcap-bf16-v4config", "gemma3-text-bf16", "gpt2-f32"}) {
    if (!is_directory(kGolden + name)) continue;
    CAPTURE(name);
    const Model model(kGolden + name, "");
    const ModelSpec& spec = model.spec();
    const auto vectors = random_floats(static_cast<size_t>(3 * spec.d_model), 5);
    Batch prompts;
    prompts.add({1, 2, 3, 4, 5});
    prompts.add({1, 2, 7});
    prompts.add({9});  // nothing stands before the patched token
    Job job;
    for (int64_t layer = 0; layer < spec.layers; ++layer) {
      for (const int64_t intersection : {int64_t{0}, spec.vocab_size / 2}) {
        const PatchscopeRequest request{layer, {0.5f, -1.0f, 7.0f}, prompts.view(), 12, intersection, 4.0f, false};
        const auto fast = patchscope(model, vectors.data(), 3, request, job);
        const auto slow = patchscope_reference(model, vectors.data(), 3, request, job);
        REQUIRE(fast.size() == 9);
        for (size_t i = 0; i < fast.size(); ++i) {
          REQUIRE(fast[i].size() == slow[i].size());
          for (size_t t = 0; t < fast[i].size(); ++t) {
            CHECK(fast[i][t].id == slow[i][t].id);
            CHECK(fast[i][t].probability == slow[i][t].probability);
          }
        }
      }
    }
  }
}

TEST_CASE("lists of Patchscope are the plain average over the prompts, cut by the intersection") {
  const Model model(kBase, "");
  const ModelSpec& spec = model.spec();
  const auto vector = random_floats(static_cast<size_t>(spec.d_model), 8);
  Batch prompts;
  prompts.add({5, 6, 7});
  prompts.add({8, 9});
  Job job;
  const int64_t layer = spec.layers - 1, vocabulary = spec.vocab_size;
  // After the last block the patched vector meets the head alone, the same for every prompt: an average of equals.
  const auto lists = patchscope(model, vector.data(), 1, {layer, {1.0f}, prompts.view(), vocabulary, 0, 0, false}, job);
  double sum = 0;
  for (const LikelyToken& token : lists[0]) sum += token.probability;
  CHECK(lists[0].size() == static_cast<size_t>(vocabulary));
  CHECK(std::fabs(sum - 1) < 1e-5);
  // An intersection of 10 leaves at most 10, those of the whole list that both prompts have among their first.
  const auto cut = patchscope(model, vector.data(), 1, {3, {1.0f}, prompts.view(), vocabulary, 10, 0, false}, job);
  const auto whole = patchscope(model, vector.data(), 1, {3, {1.0f}, prompts.view(), vocabulary, 0, 0, false}, job);
  std::vector<std::vector<int32_t>> firsts;
  for (int64_t p = 0; p < 2; ++p) {
    Batch one;
    const auto prompt = prompts.view().sequence(p);
    one.add({prompt.begin(), prompt.end()});
    firsts.emplace_back();
    const auto alone = patchscope(model, vector.data(), 1, {3, {1.0f}, one.view(), 10, 0, 0, false}, job);
    for (const LikelyToken& token : alone[0])
      firsts.back().push_back(token.id);
  }
  std::vector<int32_t> expected, found;
  for (const LikelyToken& token : whole[0]) {
    const auto in = [&](const auto& first) { return std::find(first.begin(), first.end(), token.id) != first.end(); };
    if (in(firsts[0]) && in(firsts[1])) expected.push_back(token.id);
  }
  for (const LikelyToken& token : cut[0]) found.push_back(token.id);
  CHECK(found == expected);
  CHECK(found.size() < 10);
  // However many prompts there are: copies of one have its list.
  Batch one, many;
  one.add({5, 6, 7});
  for (int copy = 0; copy < 300; ++copy) many.add({5, 6, 7});
  for (const int64_t intersection : {int64_t{0}, int64_t{10}}) {
    const auto few = patchscope(model, vector.data(), 1, {3, {1.0f}, one.view(), 8, intersection, 0, false}, job);
    const auto copies = patchscope(model, vector.data(), 1, {3, {1.0f}, many.view(), 8, intersection, 0, false}, job);
    REQUIRE(few[0].size() == 8);
    REQUIRE(copies[0].size() == 8);
    for (size_t t = 0; t < 8; ++t) {
      CHECK(copies[0][t].id == few[0][t].id);
      CHECK(copies[0][t].probability == doctest::Approx(few[0][t].probability).epsilon(1e-5));  // 300 float32 additions
    }
  }
}

TEST_CASE("Patchscope refuses what it cannot read, naming it") {
  const Model model(kBase, "");
  const auto d = static_cast<size_t>(model.spec().d_model);
  std::vector<float> vector(d, 1.0f);
  Batch prompts, empty, unknown;
  prompts.add({1, 2});
  empty.add({});
  unknown.add({1, 1 << 20});
  Job job;
  const auto refusal = [&](const PatchscopeRequest& request, const std::vector<float>& x) {
    std::string message;
    const std::string code = code_of([&] { patchscope(model, x.data(), 1, request, job); }, &message);
    CHECK(code == "INVALID_ARGUMENT");
    return message;
  };
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  Batch longer;
  longer.add(std::vector<int32_t>(static_cast<size_t>(model.spec().max_positions) + 1, 1));
  const PatchscopeRequest good{0, {1.0f}, prompts.view(), 5, 0, 0, false};
  auto wrong = good;
  wrong.layer = model.spec().layers;
  CHECK(contains(refusal(wrong, vector), "layer"));
  wrong = good;
  wrong.prompts = empty.view();
  CHECK(contains(refusal(wrong, vector), "no tokens"));
  wrong.prompts = unknown.view();
  CHECK(contains(refusal(wrong, vector), "vocabulary"));
  wrong.prompts = longer.view();
  CHECK(contains(refusal(wrong, vector), "context"));
  wrong = good;
  wrong.k = 0;
  CHECK(contains(refusal(wrong, vector), "k is 0"));
  wrong = good;
  wrong.scales = {NAN};
  CHECK(contains(refusal(wrong, vector), "scales"));
  wrong.scales = {3e38f};
  CHECK(contains(refusal(wrong, std::vector<float>(d, 10.0f)), "too large"));
  wrong = good;
  wrong.norm = 1;
  CHECK(contains(refusal(wrong, std::vector<float>(d)), "zero"));
  auto spoiled = vector;
  spoiled[3] = NAN;
  CHECK(contains(refusal(good, spoiled), "not finite"));
}

TEST_CASE("cross entropy and divergence are those of the logits in float64") {
  const Model base(kBase, ""), finetuned(kBase, kAdapter);
  const Batch texts = some_texts(40, 2048);
  const int64_t vocabulary = base.spec().vocab_size;
  Job job;
  const auto b = logits(base, texts.view(), job), f = logits(finetuned, texts.view(), job);
  const auto losses = cross_entropy(finetuned, texts.view(), {}, job);
  const auto kl = kl_divergence(base, finetuned, texts.view(), {}, job);
  for (int64_t i = 0; i < texts.view().sequences(); ++i) {
    const auto text = texts.view().sequence(i);
    const auto at = static_cast<size_t>(i);
    REQUIRE(losses[at].size() == text.size() - 1);
    REQUIRE(kl.per_token[at].size() == text.size());
    for (size_t t = 0; t < text.size(); ++t) {
      const auto log_f = log_softmax(f[at].data() + static_cast<int64_t>(t) * vocabulary, vocabulary);
      const auto log_b = log_softmax(b[at].data() + static_cast<int64_t>(t) * vocabulary, vocabulary);
      double divergence = 0;
      for (size_t id = 0; id < log_f.size(); ++id) divergence += std::exp(log_f[id]) * (log_f[id] - log_b[id]);
      CHECK(std::fabs(kl.per_token[at][t] - divergence) < 1e-12);
      if (t + 1 < text.size()) CHECK(std::fabs(losses[at][t] + log_f[static_cast<size_t>(text[t + 1])]) < 1e-12);
    }
  }
  // A model diverges from itself by nothing, and from its steered self by something.
  const Intervention push{Intervention::Kind::add, 3, random_floats(static_cast<size_t>(base.spec().d_model), 4), nullptr};
  double same = 0, pushed = 0;
  for (const auto& row : kl_divergence(base, base, texts.view(), {}, job).per_token) same += std::accumulate(row.begin(), row.end(), 0.0);
  for (const auto& row : kl_divergence(base, base, texts.view(), push, job).per_token) pushed += std::accumulate(row.begin(), row.end(), 0.0);
  CHECK(std::fabs(same) < 1e-9);
  CHECK(pushed > 1);
}

TEST_CASE("interventions do what they say, at every layer") {
  const Model base(kBase, ""), full(kFull, "");
  const ModelSpec& spec = base.spec();
  Batch text;
  text.add({5, 6, 7, 8});
  const PrefixTree tree = plan_trees(text.view(), 100).front();
  Job job;
  const auto vector = random_floats(static_cast<size_t>(spec.d_model), 6);
  for (const int64_t layer : {int64_t{0}, int64_t{3}, spec.layers - 1}) {
    // Adding nothing changes no bit; adding and taking away again changes the last bits at most.
    const auto plain = final_residuals(base, tree, {}, job);
    const Intervention nothing{Intervention::Kind::add, layer, std::vector<float>(vector.size()), nullptr};
    CHECK(final_residuals(base, tree, nothing, job) == plain);
    // Swapped with itself a component stays.
    const Intervention self{Intervention::Kind::swap, layer, vector, &base};
    const auto swapped = final_residuals(base, tree, self, job);
    CHECK(relative_l2(swapped.data(), plain.data(), plain.size()) < 1e-5);
    const auto other = final_residuals(base, tree, {Intervention::Kind::swap, layer, vector, &full}, job);
    CHECK(relative_l2(other.data(), plain.data(), plain.size()) > 1e-4);
  }
  // Right after the block: what is removed is gone, what is swapped in is the other model's.
  auto rows = residuals(base, text.view(), {2}, job)[0][0], others = residuals(full, text.view(), {2}, job)[0][0];
  const auto component = [&](const float* x) {
    double dot = 0, square = 0;
    for (size_t j = 0; j < vector.size(); ++j) {
      dot += static_cast<double>(x[j]) * vector[j];
      square += static_cast<double>(vector[j]) * vector[j];
    }
    return dot / std::sqrt(square);
  };
  auto removed = rows, swapped = rows;
  intervene({Intervention::Kind::remove, 2, vector, nullptr}, removed.data(), nullptr, 4, spec.d_model);
  intervene({Intervention::Kind::swap, 2, vector, nullptr}, swapped.data(), others.data(), 4, spec.d_model);
  for (int64_t t = 0; t < 4; ++t) {
    CHECK(std::fabs(component(removed.data() + t * spec.d_model)) < 1e-4);
    CHECK(component(swapped.data() + t * spec.d_model) == doctest::Approx(component(others.data() + t * spec.d_model)).epsilon(1e-4));
  }
  CHECK(code_of([&] { require_intervention(base, {Intervention::Kind::remove, 99, vector, nullptr}); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { require_intervention(base, {Intervention::Kind::remove, 0, {1, 2}, nullptr}); }) == "INVALID_ARGUMENT");
  const std::vector<float> zero(vector.size());
  CHECK(code_of([&] { require_intervention(base, {Intervention::Kind::remove, 0, zero, nullptr}); }) == "INVALID_ARGUMENT");
}

TEST_CASE("causal sums are the same bits whatever the threads and the order of texts, and mask what they are told to") {
  const Model base(kBase, ""), finetuned(kBase, kAdapter);
  const auto d = static_cast<size_t>(base.spec().d_model);
  const Batch texts = some_texts(60, 2048);
  Batch shuffled;
  std::vector<int64_t> order(60);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (const int64_t i : order) shuffled.add({texts.view().sequence(i).begin(), texts.view().sequence(i).end()});
  CausalRequest request;
  request.layer = 3;
  request.vectors = random_floats(2 * d, 9);
  request.effects = {Effect::base_to_finetuned, Effect::zero_base};
  Job job;
  const auto expected = causal_effect(base, finetuned, texts.view(), request, job);
  CHECK(expected.intervened.size() == static_cast<size_t>(4 * expected.columns));
  const auto same = [](const CausalResult& a, const CausalResult& b) {
    return a.columns == b.columns && a.counts == b.counts && a.base == b.base && a.finetuned == b.finetuned &&
           a.intervened == b.intervened;
  };
  const int threads = omp_get_max_threads();
  for (const int used : {1, 2}) {
    omp_set_num_threads(used);
    CHECK(same(causal_effect(base, finetuned, shuffled.view(), request, job), expected));
  }
  omp_set_num_threads(threads);
  // Columns are what the texts' own losses add up to.
  const auto losses = cross_entropy(base, texts.view(), {}, job);
  std::vector<double> columns(static_cast<size_t>(expected.columns));
  for (const auto& row : losses) {
    for (size_t t = 0; t < row.size(); ++t) columns[t] += row[t];
  }
  for (size_t c = 0; c < columns.size(); ++c) CHECK(std::fabs(columns[c] - expected.base[c]) < 1e-9);
  // Only the second half of all texts counts.
  request.mask.assign(texts.ids.size(), 0);
  std::fill(request.mask.begin() + texts.offsets[30], request.mask.end(), 1);
  Batch half;
  for (int64_t i = 30; i < 60; ++i) half.add({texts.view().sequence(i).begin(), texts.view().sequence(i).end()});
  const auto masked = causal_effect(base, finetuned, texts.view(), request, job);
  request.mask.clear();
  const auto alone = causal_effect(base, finetuned, half.view(), request, job);
  for (int64_t c = 0; c < alone.columns; ++c) {
    CHECK(masked.counts[static_cast<size_t>(c)] == alone.counts[static_cast<size_t>(c)]);
    CHECK(masked.base[static_cast<size_t>(c)] == alone.base[static_cast<size_t>(c)]);
  }
}

TEST_CASE("principal components are those of the plain covariance, from either side") {
  constexpr int64_t kWidth = 12;
  for (const int64_t samples : {7, 40}) {  // fewer than dimensions, and more
    CAPTURE(samples);
    auto rows = random_floats(static_cast<size_t>(samples * kWidth), 2);
    for (int64_t r = 0; r < samples; ++r) {
      for (int64_t j = 0; j < kWidth; ++j) rows[static_cast<size_t>(r * kWidth + j)] *= static_cast<float>(1 + j);
    }
    std::vector<int64_t> counts(static_cast<size_t>(samples), 1);
    counts[1] = 3;
    const Job job;
    const Components found = components_of(rows, counts, kWidth, kWidth, job);
    CHECK(found.samples == samples + 2);
    // The same with the repeated sample written out.
    auto longer = rows;
    for (int i = 0; i < 2; ++i) longer.insert(longer.end(), rows.begin() + kWidth, rows.begin() + 2 * kWidth);
    const Components spread = components_of(longer, std::vector<int64_t>(static_cast<size_t>(samples + 2), 1), kWidth, kWidth, job);
    CHECK(spread.total == doctest::Approx(found.total));
    CHECK(spread.participation_ratio == doctest::Approx(found.participation_ratio));

    const auto n = static_cast<double>(samples + 2);
    std::vector<double> mean(kWidth), covariance(kWidth * kWidth);
    for (size_t i = 0; i < longer.size(); ++i) mean[i % kWidth] += longer[i] / n;
    for (int64_t r = 0; r < samples + 2; ++r) {
      for (int64_t i = 0; i < kWidth; ++i) {
        for (int64_t j = 0; j < kWidth; ++j) {
          covariance[static_cast<size_t>(i * kWidth + j)] += (longer[static_cast<size_t>(r * kWidth + i)] - mean[static_cast<size_t>(i)]) *
                                                            (longer[static_cast<size_t>(r * kWidth + j)] - mean[static_cast<size_t>(j)]) / (n - 1);
        }
      }
    }
    double trace = 0;
    for (int64_t i = 0; i < kWidth; ++i) trace += covariance[static_cast<size_t>(i * kWidth + i)];
    CHECK(found.total == doctest::Approx(trace));
    REQUIRE(found.explained.size() == static_cast<size_t>(std::min<int64_t>(kWidth, samples - 1)));
    CHECK(std::is_sorted(found.explained.rbegin(), found.explained.rend()));
    for (size_t c = 0; c < found.explained.size(); ++c) {  // C v = λ v, v of length 1
      const float* v = found.directions.data() + static_cast<int64_t>(c) * kWidth;
      double square = 0;
      for (int64_t i = 0; i < kWidth; ++i) {
        double image = 0;
        for (int64_t j = 0; j < kWidth; ++j) image += covariance[static_cast<size_t>(i * kWidth + j)] * v[j];
        CHECK(std::fabs(image - found.explained[c] * v[i]) < 1e-4 * found.explained[0]);
        square += static_cast<double>(v[i]) * v[i];
      }
      CHECK(square == doctest::Approx(1).epsilon(1e-6));
    }
  }
}

TEST_CASE("components of a pair: the samples' own diffs") {
  const Model base(kBase, ""), finetuned(kBase, kAdapter);
  const Batch texts = some_texts(80, 2048);
  Job job;
  const auto found = principal_components(base, finetuned, texts.view(), {3, {2, 0}, 5}, job);
  REQUIRE(found.size() == 2);
  const int64_t d = base.spec().d_model;
  const auto b = residuals(base, texts.view(), {3}, job)[0], f = residuals(finetuned, texts.view(), {3}, job)[0];
  std::vector<float> rows;
  std::vector<int64_t> counts;
  for (size_t i = 0; i < b.size(); ++i) {
    if (static_cast<int64_t>(b[i].size()) <= 2 * d) continue;
    counts.push_back(1);
    for (int64_t j = 0; j < d; ++j) rows.push_back(f[i][static_cast<size_t>(2 * d + j)] - b[i][static_cast<size_t>(2 * d + j)]);
  }
  const Components plain = components_of(rows, counts, d, 5, job);
  CHECK(found[0].samples == plain.samples);
  CHECK(found[0].total == doctest::Approx(plain.total));
  CHECK(found[0].mean_share == doctest::Approx(plain.mean_share));
  for (size_t c = 0; c < 5; ++c) CHECK(found[0].explained[c] == doctest::Approx(plain.explained[c]));
  CHECK(code_of([&] { principal_components(base, finetuned, texts.view(), {3, {50}, 5}, job); }) == "INVALID_ARGUMENT");
}

TEST_CASE("neighbours are found by cosine; what has none is left out") {
  constexpr int64_t kWidth = 33;
  auto vectors = random_floats(20 * kWidth, 1);
  std::fill_n(vectors.begin() + 3 * kWidth, kWidth, 0.0f);
  vectors[4 * kWidth] = NAN;
  for (int64_t j = 0; j < kWidth; ++j) vectors[static_cast<size_t>(7 * kWidth + j)] = -2 * vectors[static_cast<size_t>(j)];
  const auto found = nearest(vectors.data(), vectors.data(), 20, kWidth, 50);
  CHECK(found.size() == 18);
  CHECK(found.front().index == 0);
  CHECK(found.front().cosine == doctest::Approx(1));
  CHECK(found.back().index == 7);
  CHECK(found.back().cosine == doctest::Approx(-1));
  CHECK(nearest(vectors.data(), vectors.data(), 20, kWidth, 2).size() == 2);
  CHECK(nearest(vectors.data() + 3 * kWidth, vectors.data(), 20, kWidth, 2).empty());
}

TEST_CASE("texts are embedded by their last token or the mean of all, with length 1") {
  const Model model(kBase, "");
  const Batch texts = some_texts(12, 2048);
  const int64_t d = model.spec().d_model;
  Job job;
  const auto last = embed_texts(model, texts.view(), Pooling::last, job), mean = embed_texts(model, texts.view(), Pooling::mean, job);
  for (size_t i = 0; i < last.size(); ++i) {
    double square = 0;
    for (const float value : last[i]) square += static_cast<double>(value) * value;
    CHECK(square == doctest::Approx(1));
    const bool single = texts.view().sequence(static_cast<int64_t>(i)).size() == 1;
    CHECK((last[i] == mean[i]) == single);
    CHECK(last[i].size() == static_cast<size_t>(d));
  }
  Batch empty;
  empty.add({});
  CHECK(code_of([&] { embed_texts(model, empty.view(), Pooling::last, job); }) == "INVALID_ARGUMENT");
}

TEST_CASE("what compares two models refuses those that are not built alike") {
  const Model qwen(kBase, ""), llama(std::string(ORGANISMS) + "/tiny-llama", "");
  Batch text;
  text.add({5, 6, 7});
  const std::vector<float> vector(static_cast<size_t>(qwen.spec().d_model), 1.0f);
  Job job;
  const auto refused = [](const auto& call) { CHECK(code_of(call) == "PAIR_MISMATCH"); };
  refused([&] { causal_effect(qwen, llama, text.view(), {0, vector, {Effect::zero_base}, {}}, job); });
  refused([&] { kl_divergence(qwen, llama, text.view(), {}, job); });
  refused([&] { principal_components(qwen, llama, text.view(), {0, {0}, 1}, job); });
  refused([&] { cross_entropy(qwen, text.view(), {Intervention::Kind::swap, 0, vector, &llama}, job); });
}
