// Whole models on the device against the processor: every golden case, in every computation.
#include <algorithm>
#include <filesystem>

#include "cuda/cuda_test.h"
#include "decode/generate.h"
#include "diff/paired_diff.h"
#include "models/activations.h"
#include "models/head.h"
#include "readings/cross_entropy.h"
#include "readings/patchscope.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

constexpr double kTolerance = 1e-5;

/// A folder of the source tree, which DELTASCOPE_TEST_ROOT names where the program was built elsewhere.
std::string folder(const char* built, const char* below) {
  const char* root = std::getenv("DELTASCOPE_TEST_ROOT");
  return root == nullptr ? built : std::string(root) + "/" + below;
}

const std::string kGolden = folder(FIXTURES, "test/fixtures") + "/golden/";
const std::string kOrganism = folder(ORGANISMS, "organisms") + "/tiny-qwen3", kAdapter = kOrganism + "--cake_bake";

/// Every golden case, "<case>" or "<case>--<adapter>"; where each thread is emulated those that between them have all there is.
std::vector<std::string> cases() {
  std::vector<std::string> found;
  if (cuda_devices().front().name == "emulator") {
    for (const char* name : {"gemma2-softcap-bf16-v4config", "gpt2-f32--lora_conv", "qwen3_moe-norm-bf16", "phi3-bf16",
                             "olmo2-gqa-f32-v4config"})
      found.push_back(kGolden + name);
    return found;
  }
  for (const auto& entry : std::filesystem::directory_iterator(kGolden)) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

struct Twins {
  Model host, device;

  explicit Twins(const std::string& label, Precision precision = Precision::float32)
      : host(label.substr(0, label.find("--")), adapter(label), precision),
        device(label.substr(0, label.find("--")), adapter(label), precision, Job(), cuda_backend()) {}

  static std::string adapter(const std::string& label) { return label.find("--") == std::string::npos ? "" : label; }
};

double worst_of(const std::vector<std::vector<float>>& got, const std::vector<std::vector<float>>& want, int64_t width) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    REQUIRE(got[i].size() == want[i].size());
    for (size_t at = 0; at < want[i].size(); at += static_cast<size_t>(width))
      worst = std::max(worst, relative_l2(&got[i][at], &want[i][at], static_cast<size_t>(width)));
  }
  return worst;
}

}  // namespace

CUDA_TEST_CASE("activations and logits of every golden case are those of the processor") {
  Job job;
  double worst = 0;
  for (const std::string& label : cases()) {
    CAPTURE(label);
    const Golden golden(label);
    const Twins twins(label);
    std::vector<int64_t> layers;
    for (int64_t layer = 0; layer < twins.host.spec().layers; ++layer) layers.push_back(layer);
    const auto want = residuals(twins.host, golden.batch(), layers, job), got = residuals(twins.device, golden.batch(), layers, job);
    for (size_t layer = 0; layer < want.size(); ++layer) {
      const double here = worst_of(got[layer], want[layer], twins.host.spec().d_model);
      CHECK(here <= kTolerance);
      worst = std::max(worst, here);
    }
    const double here = worst_of(logits(twins.device, golden.batch(), job), logits(twins.host, golden.batch(), job), twins.host.spec().vocab_size);
    CHECK(here <= kTolerance);
    worst = std::max(worst, here);
  }
  MESSAGE("worst " << worst << ", " << 100 * worst / kTolerance << " % of the tolerance");
}

CUDA_TEST_CASE("bfloat16 activations are those of the processor's bfloat16") {
  Job job;
  for (const char* name : {"qwen3-sharded-bf16", "gpt2-f32", "llama-mha-f16--lora_f16"}) {
    CAPTURE(name);
    const std::string label = kGolden + name;
    const Golden golden(label);
    const Twins twins(label, Precision::bfloat16);
    const std::vector<int64_t> last = {twins.host.spec().layers - 1};
    // A sum that differs in its last bit may round another way once it is an input again.
    CHECK(worst_of(residuals(twins.device, golden.batch(), last, job)[0], residuals(twins.host, golden.batch(), last, job)[0],
                   twins.host.spec().d_model) <= 1e-2);
  }
}

CUDA_TEST_CASE("a text's activations have the same bits whatever texts stand beside it") {
  const std::string label = kGolden + "qwen3-sharded-bf16";
  const Golden golden(label);
  Job job;
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const Model model(label, "", precision, job, cuda_backend());
    const std::vector<int64_t> last = {model.spec().layers - 1};
    const auto together = residuals(model, golden.batch(), last, job)[0];
    for (int64_t i = 0; i < std::min<int64_t>(golden.sequences, 3); ++i) {
      CAPTURE(i);
      const auto ids = golden.batch().sequence(i);
      const std::vector<int64_t> offsets = {0, static_cast<int64_t>(ids.size())};
      CHECK(residuals(model, {ids, offsets}, last, job)[0][0] == together[static_cast<size_t>(i)]);
    }
  }
}

CUDA_TEST_CASE("decoded texts of every golden case are those of the processor, weights kept or brought for every token") {
  Job job;
  std::vector<std::string> labels = cases();
  if (labels.size() < 10) labels.resize(3);
  for (const std::string& label : labels) {
    CAPTURE(label);
    const Golden golden(label);
    const Twins twins(label);
    std::vector<std::vector<float>> logits_of[3];
    size_t run = 0;
    for (const auto& [model, budget] : {std::pair<const Model*, int64_t>{&twins.host, int64_t{1} << 40}, {&twins.device, int64_t{1} << 40}, {&twins.device, 0}}) {
      if (run == 2 && label.find("gemma2") == std::string::npos && label.find("moe") == std::string::npos) break;
      Decoder decoder(*model, {}, budget);
      const std::vector<float> strengths(static_cast<size_t>(golden.sequences));
      decoder.begin(golden.batch(), strengths, job);
      logits_of[run].push_back(decoder.logits(job));
      const std::vector<int64_t> rows = {golden.sequences - 1, 0};
      for (const int32_t id : {1, 3}) {  // each sees the one before
        decoder.append(rows, std::vector<int32_t>{id, id + 1}, job);
        logits_of[run].push_back(decoder.logits(job));
      }
      if (run > 0) CHECK(worst_of(logits_of[run], logits_of[0], twins.host.spec().vocab_size) <= 2e-5);
      ++run;
    }
  }
}

CUDA_TEST_CASE("steered texts are those of the processor") {
  const Twins twins(kOrganism);
  const std::vector<int32_t> ids = {43, 80, 262, 827, 5, 6, 7, 43, 80};
  const std::vector<int64_t> offsets = {0, 4, 7, 9};
  GenerateRequest request;
  request.prompts = {ids, offsets};
  request.strengths = {0, 2, -1};
  request.max_new_tokens = 3;
  request.memory_budget = int64_t{1} << 30;
  for (const int64_t layer : {int64_t{0}, twins.host.spec().layers - 1}) {
    request.steering = {layer, random_floats(static_cast<size_t>(twins.host.spec().d_model), 5, 0.5f)};
    Job job;
    const auto want = generate(twins.host, request, job), got = generate(twins.device, request, job);
    for (size_t i = 0; i < 3; ++i) CHECK(got[i].ids == want[i].ids);
  }
}

CUDA_TEST_CASE("sampled texts are those of the processor") {
  const Twins twins(kGolden + "gemma2-softcap-bf16-v4config");
  const std::vector<int32_t> ids = {3, 80, 62, 7, 5, 6, 7, 3, 80};
  const std::vector<int64_t> offsets = {0, 4, 7, 9};
  GenerateRequest request;
  request.prompts = {ids, offsets};
  request.strengths = {0, 0, 0};
  request.max_new_tokens = 4;
  request.memory_budget = int64_t{1} << 30;
  request.seed = 11;
  Job job;
  for (const Sampling& how : {Sampling{.temperature = 1.2, .repetition_penalty = 1.1}, Sampling{.temperature = 0.8, .top_k = 50, .top_p = 0.9}}) {
    request.sampling = how;
    const auto want = generate(twins.host, request, job), got = generate(twins.device, request, job);
    for (size_t i = 0; i < 3; ++i) CHECK(got[i].ids == want[i].ids);
  }
}

CUDA_TEST_CASE("a diff is the processor's") {
  Job job;
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int32_t i = 0; i < 60; ++i) {
    for (int32_t t = 0; t < 3 + i % 4; ++t) ids.push_back((t == 0 ? 1 : i * 7 + t * t) % 900);
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  const TokenBatch tokens = {ids, offsets};
  const Model host_base(kOrganism, ""), device_base(kOrganism, "", Precision::float32, Job(), cuda_backend());
  const Model host(kOrganism, kAdapter), device(kOrganism, kAdapter, Precision::float32, Job(), cuda_backend());
  DiffRequest request{{0, 2, 1}, {0, 4, 2}};
  const auto want = paired_diff(host_base, host, tokens, request, job), got = paired_diff(device_base, device, tokens, request, job);
  const auto d = static_cast<size_t>(host.spec().d_model);
  CHECK(got.counts == want.counts);
  CHECK(got.shared_weights == want.shared_weights);
  for (size_t at = 0; at < want.base_mean.size(); at += d) {
    CHECK(relative_l2(&got.base_mean[at], &want.base_mean[at], d) <= kTolerance);
    CHECK(relative_l2(&got.finetuned_mean[at], &want.finetuned_mean[at], d) <= kTolerance);
  }
  for (size_t i = 0; i < want.base_norm.size(); ++i) CHECK(std::fabs(got.base_norm[i] - want.base_norm[i]) <= 1e-5 * want.base_norm[i]);
  const auto plain = paired_diff(device_base, device_base, tokens, request, job);
  CHECK(std::all_of(plain.mean_diff.begin(), plain.mean_diff.end(), [](float x) { return x == 0; }));
}

CUDA_TEST_CASE("lens, patchscope and cross entropy are the processor's") {
  const Twins twins(kOrganism);
  const int64_t d = twins.host.spec().d_model;
  Job job;
  const auto vectors = random_floats(static_cast<size_t>(3 * d), 8);
  const auto want = logit_lens(twins.host, vectors.data(), 3, 5, job), got = logit_lens(twins.device, vectors.data(), 3, 5, job);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t k = 0; k < 5; ++k) {
      CHECK(got[i].top[k].first.id == want[i].top[k].first.id);
      CHECK(got[i].bottom[k].first.id == want[i].bottom[k].first.id);
      CHECK(std::fabs(got[i].top[k].second - want[i].top[k].second) <= 1e-5);
    }
  }
  const std::vector<int32_t> ids = {43, 80, 262, 827, 5, 6, 7};
  const std::vector<int64_t> offsets = {0, 4, 7};
  PatchscopeRequest patch;
  patch.layer = 1, patch.scales = {1, 3}, patch.prompts = {ids, offsets}, patch.k = 4;
  const auto lists = patchscope(twins.host, vectors.data(), 2, patch, job), again = patchscope(twins.device, vectors.data(), 2, patch, job);
  REQUIRE(lists.size() == again.size());
  for (size_t i = 0; i < lists.size(); ++i) {
    REQUIRE(lists[i].size() == again[i].size());
    for (size_t k = 0; k < lists[i].size(); ++k) CHECK(lists[i][k].id == again[i][k].id);
  }
  patch.intersection = 60, patch.compat = true, patch.k = 10, patch.scales = {2};
  const auto cut = patchscope(twins.host, vectors.data(), 1, patch, job), cut_there = patchscope(twins.device, vectors.data(), 1, patch, job);
  for (size_t i = 0; i < cut.size(); ++i) {
    REQUIRE(cut[i].size() == cut_there[i].size());
    for (size_t k = 0; k < cut[i].size(); ++k) CHECK(std::fabs(cut[i][k].probability - cut_there[i][k].probability) <= 0x1p-8 * cut[i][k].probability);
  }
  for (const auto kind : {Intervention::Kind::none, Intervention::Kind::remove}) {
    const Intervention intervention = {kind, 1, {vectors.begin(), vectors.begin() + d}, nullptr};
    const auto a = cross_entropy(twins.host, {ids, offsets}, intervention, job), b = cross_entropy(twins.device, {ids, offsets}, intervention, job);
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t t = 0; t < a[i].size(); ++t) CHECK(std::fabs(a[i][t] - b[i][t]) <= 1e-5 * a[i][t]);
    }
  }
}
