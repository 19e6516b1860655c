// Texts that grow token by token, against the same texts computed at once, and against transformers' greedy
// texts.
#include "decode/decode_weights.h"
#include "decode/decoder.h"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "decode/generate.h"
#include "models/activations.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kBase = std::string(ORGANISMS) + "/tiny-qwen3", kAdapter = kBase + "--cake_bake";
constexpr int64_t kAll = int64_t{1} << 40;

struct Batch {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  void add(std::span<const int32_t> text) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  TokenBatch view() const { return {ids, offsets}; }
};

/// The worst distance of a decoder's logits from those of the whole texts: every text begins as its first
/// tokens, a different number of them each, and is given the rest one by one.
double worst_logits(const Model& model, const TokenBatch& texts, int64_t budget,
                    Precision = Precision::float32) {
  Job job;
  const auto whole = logits(model, texts, job);
  const int64_t vocabulary = model.spec().vocab_size, context = model.spec().prefix_context();
  Batch prompts;
  std::vector<int64_t> at, used;
  std::vector<int64_t> source;
  for (int64_t i = 0; i < texts.sequences(); ++i) {
    auto text = texts.sequence(i);
    text = text.first(static_cast<size_t>(std::min(static_cast<int64_t>(text.size()), context)));
    // Beyond the context a text's logits depend on its whole length, so such a text is compared by its own
    // beginning.
    if (text.size() < texts.sequence(i).size() || text.size() < 2) continue;
    const auto first = static_cast<int64_t>(1 + static_cast<size_t>(i) % (text.size() - 1));
    prompts.add(text.first(static_cast<size_t>(first)));
    at.push_back(first - 1);
    source.push_back(i);
  }
  REQUIRE(!source.empty());
  Decoder decoder(model, {}, budget);
  decoder.begin(prompts.view(), std::vector<float>(source.size(), 0.0f), job);
  double worst = 0;
  std::vector<int64_t> live(source.size());
  std::iota(live.begin(), live.end(), int64_t{0});
  while (!live.empty()) {
    const auto got = decoder.logits(job);
    std::vector<int64_t> going;
    std::vector<int32_t> ids;
    for (size_t i = 0; i < live.size(); ++i) {
      const auto row = static_cast<size_t>(live[i]);
      const auto text = texts.sequence(source[row]);
      const float* want = whole[static_cast<size_t>(source[row])].data() + at[row] * vocabulary;
      worst = std::max(worst, relative_l2(got.data() + static_cast<int64_t>(i) * vocabulary, want,
                                          static_cast<size_t>(vocabulary)));
      if (++at[row] == static_cast<int64_t>(text.size())) continue;
      going.push_back(live[i]);
      ids.push_back(text[static_cast<size_t>(at[row])]);
    }
    live = going;
    if (!live.empty()) decoder.append(live, ids, job);
  }
  return worst;
}

GenerateRequest request_of(const Batch& prompts, int64_t tokens) {
  GenerateRequest request;
  request.prompts = prompts.view();
  request.strengths.assign(prompts.offsets.size() - 1, 0.0f);
  request.max_new_tokens = tokens;
  request.memory_budget = kAll;
  return request;
}

Batch some_prompts() {
  Batch prompts;
  for (const std::vector<int32_t>& text : {std::vector<int32_t>{43, 80, 262, 827},
                                           {43, 80, 262, 827},
                                           {43, 80},
                                           {5, 6, 7, 8, 9, 10, 11},
                                           {262},
                                           {43, 80, 262, 827},
                                           {900, 901, 902}})
    prompts.add(text);
  return prompts;
}

}  // namespace

TEST_CASE("decoded logits of every golden case are those of the whole text") {
  int64_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(FIXTURES) + "/golden")) {
    const std::string label = entry.path(), folder = label.substr(0, label.find("--"));
    CAPTURE(label);
    const Golden golden(label);
    const Model model(folder, folder == label ? "" : label);
    CHECK(worst_logits(model, golden.batch(), kAll) < 1e-5);
    ++cases;
  }
  CHECK(cases > 50);
}

TEST_CASE("weights that are read at every token give the same logits") {
  for (const char* name : {"qwen3-sharded-bf16", "qwen3_moe-norm-bf16", "gpt2-f32", "phi3-bf16",
                           "gemma2-softcap-bf16-v4config"}) {
    CAPTURE(name);
    const std::string folder = std::string(FIXTURES) + "/golden/" + name;
    const Golden golden(folder);
    const Model model(folder, "");
    const int64_t bytes = DecodeWeights::bytes(model);
    for (const int64_t budget : {int64_t{0}, bytes / 2, bytes - 1, bytes})
      CHECK(worst_logits(model, golden.batch(), budget) < 1e-5);
  }
}

TEST_CASE("a model opened for bfloat16 products decodes with them") {
  const std::string folder = std::string(FIXTURES) + "/golden/gpt2-f32";
  const Golden golden(folder);
  const Model model(folder, "", Precision::bfloat16);
  const double worst = worst_logits(model, golden.batch(), kAll);
  // Sums in another order round other inputs of the next product; float32 products are a hundred times
  // further away.
  const Model exact(folder, "");
  Job job;
  const auto a = logits(model, golden.batch(), job), b = logits(exact, golden.batch(), job);
  const double apart = relative_l2(a[0].data(), b[0].data(), a[0].size());
  CAPTURE(apart);
  CAPTURE(worst);
  CHECK(worst < apart);
}

TEST_CASE("a text is the same alone and in a batch, with one thread and many, in one wave and several") {
  const Model model(kBase, kAdapter);
  const Batch prompts = some_prompts();
  const int threads = omp_get_max_threads();
  for (const double temperature : {0.0, 1.3}) {
    GenerateRequest request = request_of(prompts, 24);
    request.sampling = {.temperature = temperature, .top_k = 50, .top_p = 0.95, .repetition_penalty = 1.1};
    request.seed = 11;
    request.steering = {2, random_floats(static_cast<size_t>(model.spec().d_model), 3)};
    request.strengths = {0, 1.5f, 0.25f, -1, 0, 0, 2};
    Job job;
    const auto together = generate(model, request, job);
    REQUIRE(together.size() == 7);
    CHECK(together[0].ids.size() == 24);
    // Row 5 is the second text of row 0's prompt and strength.
    CHECK((together[0].ids == together[5].ids) == (temperature == 0));
    const auto check_same = [&] {
      const auto again = generate(model, request, job);
      for (size_t i = 0; i < 7; ++i) CHECK(again[i].ids == together[i].ids);
    };
    for (const int used : {1, 3}) {
      omp_set_num_threads(used);
      check_same();
      omp_set_num_threads(threads);
    }
    for (const int64_t budget : {int64_t{1}, Decoder::bytes_per_token(model) * 120}) {
      request.memory_budget = budget;
      check_same();
    }
    request.memory_budget = kAll;
    for (size_t i = 0; i < 5; ++i) {
      Batch alone;
      alone.add(prompts.view().sequence(static_cast<int64_t>(i)));
      GenerateRequest one = request;
      one.prompts = alone.view();
      one.strengths = {request.strengths[i]};
      CHECK(generate(model, one, job)[0].ids == together[i].ids);
    }
  }
}

TEST_CASE("a steered text is what the steered residual stream says") {
  // Strengths in one batch, at the first block, in the middle and at the last, against a whole pass that adds
  // the vector.
  const Model model(kBase, kAdapter);
  const ModelSpec& spec = model.spec();
  const int64_t d = spec.d_model;
  const auto vector = random_floats(static_cast<size_t>(d), 5, 0.5f);
  const std::vector<int32_t> text = {43, 80, 262, 827, 262, 677, 1956, 466};
  const std::vector<float> strengths = {0, 1, -2};
  for (const int64_t layer : {int64_t{0}, int64_t{3}, spec.layers - 1}) {
    CAPTURE(layer);
    Job job;
    Batch whole, prompts;
    whole.add(text);
    for (const float strength : strengths) {
      (void)strength;
      prompts.add(std::span(text).first(3));
    }
    Decoder decoder(model, {layer, vector}, kAll);
    decoder.begin(prompts.view(), strengths, job);
    const std::vector<int64_t> rows = {0, 1, 2};
    for (size_t t = 3; t < text.size(); ++t) decoder.append(rows, std::vector<int32_t>(3, text[t]), job);
    const auto got = decoder.logits(job);

    const PrefixTree tree = plan_trees(whole.view(), 100).front();
    auto x = residuals(model, whole.view(), {layer}, job)[0][0];
    DecodeWeights weights(model, kAll, job);
    for (size_t s = 0; s < strengths.size(); ++s) {
      auto steered = x;
      for (size_t i = 0; i < steered.size(); ++i)
        steered[i] += strengths[s] * vector[i % static_cast<size_t>(d)];
      std::vector<float> end(steered.end() - d, steered.end());
      if (layer + 1 < spec.layers) {
        Forward forward({&model});
        forward.run(tree, std::vector<int64_t>{spec.layers - 1},
                    [&](int64_t, std::span<const float* const> streams) {
                      end.assign(streams[0] + (tree.nodes() - 1) * d, streams[0] + tree.nodes() * d);
                    },
                    job, {layer + 1, {steered.data()}, {}, {}});
      }
      std::vector<float> want(static_cast<size_t>(spec.vocab_size));
      weights.logits(end.data(), want.data(), 1, job);
      CHECK(relative_l2(got.data() + static_cast<int64_t>(s) * spec.vocab_size, want.data(), want.size()) <
            1e-5);
    }
  }
}

TEST_CASE("texts end at a stop token, at a repetition or at their length") {
  const Model model(kBase, "");
  Batch prompts;
  prompts.add(std::vector<int32_t>{43, 80, 262, 827});
  GenerateRequest request = request_of(prompts, 12);
  Job job;
  const auto free_text = generate(model, request, job)[0];
  CHECK(free_text.finish == Finish::length);
  REQUIRE(free_text.ids.size() == 12);
  request.stop = {5, free_text.ids[6]};
  const auto stopped = generate(model, request, job)[0];
  CHECK(stopped.finish == Finish::stop);
  CHECK(stopped.ids.back() == free_text.ids[6]);
  CHECK(stopped.ids.size() <= 7);
  request.stop = {};
  // A penalty below 1 rewards what was said: the text soon goes round.
  request.sampling.repetition_penalty = 0.01;
  request.stop_repetition = 3;
  const auto round = generate(model, request, job)[0];
  CHECK(round.finish == Finish::repetition);
  CHECK(ends_in_repetition(round.ids, 3));
  CHECK(!ends_in_repetition(std::span(round.ids).first(round.ids.size() - 1), 3));
}

TEST_CASE("a request that makes no sense is refused and says why") {
  const Model model(kBase, "");
  Batch prompts;
  prompts.add(std::vector<int32_t>{1, 2});
  const GenerateRequest good = request_of(prompts, 2);
  const auto d = static_cast<size_t>(model.spec().d_model);
  Batch empty = prompts, unknown = prompts;
  empty.add({});
  unknown.add(std::vector<int32_t>{1, 1 << 20});
  const auto refusal = [&](const std::function<void(GenerateRequest&)>& change) {
    GenerateRequest request = good;
    change(request);
    Job job;
    std::string message;
    const std::string code = code_of([&] { generate(model, request, job); }, &message);
    return code + ": " + message;
  };
  const auto with = [](GenerateRequest& r, const Batch& batch) {
    r.prompts = batch.view();
    r.strengths.assign(batch.offsets.size() - 1, 0.0f);
  };
  CHECK(refusal([](GenerateRequest&) {}) == ": ");
  CHECK(refusal([&](GenerateRequest& r) { with(r, empty); }) ==
        "INVALID_ARGUMENT: prompt 1 is empty; at least one token is expected");
  CHECK(refusal([&](GenerateRequest& r) {
          with(r, unknown);
        }).starts_with("INVALID_ARGUMENT: token id 1048576 is not in the vocabulary"));
  CHECK(refusal([&](GenerateRequest& r) { r.stop = {-1}; }).starts_with("INVALID_ARGUMENT: stop token -1"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.max_new_tokens = 0;
        }).starts_with("INVALID_ARGUMENT: maxNewTokens is 0"));
  const std::string most = std::to_string(model.spec().max_positions);
  CHECK(refusal([&](GenerateRequest& r) { r.max_new_tokens = model.spec().max_positions - 1; }) ==
        "INVALID_ARGUMENT: prompt 0 has 2 tokens and " + std::to_string(model.spec().max_positions - 1) +
            " may follow; Qwen3ForCausalLM takes " + most + " (max_position_embeddings of its config.json)");
  CHECK(refusal([&](GenerateRequest& r) {
          r.max_new_tokens = INT64_MAX;
        }).starts_with("INVALID_ARGUMENT: prompt 0"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.steering = {99, std::vector<float>(d)};
        }).starts_with("INVALID_ARGUMENT: layer 99"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.steering = {1, std::vector<float>(d + 1)};
        }).starts_with("INVALID_ARGUMENT: the steering vector has 129 values"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.steering = {1, std::vector<float>(d, std::nanf(""))};
        }).starts_with("INVALID_ARGUMENT: the steering vector holds"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.steering = {1, std::vector<float>(d)};
          r.strengths = {INFINITY};
        }).starts_with("INVALID_ARGUMENT: a strength"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.strengths = {};
        }).starts_with("INVALID_ARGUMENT: 0 strengths for 1 prompts"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.sampling.temperature = -1;
        }).starts_with("INVALID_ARGUMENT: temperature"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.sampling.temperature = NAN;
        }).starts_with("INVALID_ARGUMENT: temperature"));
  CHECK(refusal([&](GenerateRequest& r) { r.sampling.top_k = -1; }).starts_with("INVALID_ARGUMENT: topK"));
  CHECK(refusal([&](GenerateRequest& r) { r.sampling.top_p = 1.5; }).starts_with("INVALID_ARGUMENT: topP"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.sampling.repetition_penalty = 0;
        }).starts_with("INVALID_ARGUMENT: repetitionPenalty"));
  CHECK(refusal([&](GenerateRequest& r) {
          r.stop_repetition = 1;
        }).starts_with("INVALID_ARGUMENT: stopRepetition"));

  // Learned positions, and a table that follows the length.
  for (const auto& [name, why] : {std::pair{"gpt2-f32", "it has learned so many positions"},
                                  std::pair{"llama-dynamic-f32-v4config", "its rotary embedding changes"}}) {
    const Model other(std::string(FIXTURES) + "/golden/" + name, "");
    GenerateRequest request = good;
    request.max_new_tokens = std::max(other.spec().learned_positions, int64_t{1});
    if (request.max_new_tokens == 1) request.max_new_tokens = other.spec().prefix_context();
    Job job;
    std::string message;
    CHECK(code_of([&] { generate(other, request, job); }, &message) == "INVALID_ARGUMENT");
    CAPTURE(message);
    CHECK(message.find(why) != std::string::npos);
  }
}

TEST_CASE("no prompts give no texts, and a cancelled generation throws") {
  const Model model(kBase, "");
  const Batch none;
  Job job;
  CHECK(generate(model, request_of(none, 5), job).empty());
  const Batch prompts = some_prompts();
  int64_t seen = 0;
  const GenerateRequest request = request_of(prompts, 50);
  job.on_token = [&](int64_t, int32_t) {
    if (++seen == 20) job.cancelled = true;
  };
  CHECK(code_of([&] { generate(model, request, job); }) == "CANCELLED");
  CHECK(seen == 21);  // the step's other texts have their token too
}
