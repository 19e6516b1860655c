// Memory that a file asks for, and memory that there is not.
#include <fcntl.h>
#include <omp.h>
#include <unistd.h>

#include "allocations.h"
#include "core/parallel_error.h"
#include "decode/generate.h"
#include "diff/paired_diff.h"
#include "format/checkpoint.h"
#include "hostile_files.h"
#include "models/adapter.h"
#include "models/adapter_config.h"
#include "models/family.h"
#include "models/head.h"
#include "models/weight.h"
#include "ops/matmul.h"
#include "ops/rotary.h"
#include "ops/tree_attention.h"
#include "readings/causal_effect.h"
#include "readings/cross_entropy.h"
#include "readings/embedding.h"
#include "readings/kl_divergence.h"
#include "readings/patchscope.h"
#include "readings/principal_components.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kGolden = std::string(FIXTURES) + "/golden/";

/// Changes whenever a file is left open.
int next_descriptor() {
  const int next = ::open("/dev/null", O_RDONLY);
  ::close(next);
  return next;
}

/// Runs a call again and again, each time with another allocation failing, until none is left to fail. The
/// call may only end in bad_alloc, in an Error, or as it ends with all memory; and must give back what it
/// took. Returns how often an allocation failed.
template <typename Call>
int64_t fail_each_allocation(const Call& call) {
  (void)code_of(call);  // what is made once and kept is made
  int64_t failures = 0;
  for (const auto mode : {FailingMemory::Mode::once, FailingMemory::Mode::from_then_on}) {
    for (int64_t after = 0;; ++after) {
      const int64_t before = live_bytes();
      const int descriptor = next_descriptor();
      bool failed = false, reported = false;
      {
        const FailingMemory memory(after, mode);
        try {
          call();
        } catch (const std::bad_alloc&) {
          reported = true;
        } catch (const Error&) {
          reported = true;
        }
        failed = memory.has_failed();
      }
      const int64_t kept = live_bytes() - before;  // before doctest takes any
      CAPTURE(after);
      REQUIRE(kept == 0);
      REQUIRE(next_descriptor() == descriptor);
      if (!failed) break;
      REQUIRE(reported);
      ++failures;
    }
  }
  return failures;
}

}  // namespace

TEST_CASE("a refused safetensors file has cost memory by its own size, not by the numbers in it") {
  const TemporaryFolder folder;
  const std::string path = folder.path("x.safetensors");
  for (const HostileFile& file : hostile_safetensors()) {
    CAPTURE(file.what);
    folder.write("x.safetensors", file.bytes);
    int64_t bytes = 0;
    const std::string code = code_of([&] {
      const PeakBytes peak;
      try {
        const Safetensors opened(path);
      } catch (...) {
        bytes = peak.get();
        throw;
      }
    });
    CHECK(code == "INVALID_SAFETENSORS");
    // A value of 2 bytes of JSON takes up to 48 while a list of them grows.
    CHECK(bytes < 8192 + 32 * static_cast<int64_t>(file.bytes.size()));
  }
}

TEST_CASE("numbers in a config cost no memory before they are checked") {
  const std::string text = read_file(kGolden + "llama-rope3-untied-bf16/config.json");
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"num_hidden_layers\": 4", "\"num_hidden_layers\": 1000000000"},
      {"\"vocab_size\": 331", "\"vocab_size\": 1099511627776"},
      {"\"hidden_size\": 64", "\"hidden_size\": 2147483648"},
      {"\"head_dim\": 16", "\"head_dim\": 2147483646"},
      {"\"num_attention_heads\": 4", "\"num_attention_heads\": 4000000000"},
      {"\"intermediate_size\": 160", "\"intermediate_size\": 1e18"},
  };
  for (const auto& [from, to] : changes) {
    CAPTURE(to);
    const std::string changed = replaced(text, from, to);
    int64_t bytes = 0;
    const std::string code = code_of([&] {
      const PeakBytes peak;
      try {
        parse_model_spec(changed, "config.json");
      } catch (...) {
        bytes = peak.get();
        throw;
      }
    });
    CHECK(code == "INVALID_CONFIG");
    CHECK(bytes < 16384);
  }
}

TEST_CASE("the size of a change is worked out in memory of the size of the matrices") {
  // A rank far above the module's sides is allowed, and its square would be 512 MiB.
  constexpr int64_t kRank = 8192;
  const auto matrix = [](const std::string& half, const std::string& shape, int64_t first) {
    return entry("base_model.model.model.layers.0.self_attn.q_proj.lora_" + half + ".weight", "BF16", shape,
                 "[" + std::to_string(first) + "," + std::to_string(first + 8 * kRank) + "]");
  };
  std::string data;
  for (int64_t i = 0; i < 8 * kRank; ++i) data += "\x80\x3f";
  const TemporaryFolder folder;
  folder.write("adapter_config.json",
               R"({"peft_type": "LORA", "r": 8192, "lora_alpha": 8192, "target_modules": ["q_proj"]})");
  folder.write("adapter_model.safetensors",
               safetensors_bytes(
                   "{" + matrix("A", "[8192,4]", 0) + "," + matrix("B", "[4,8192]", 8 * kRank) + "}", data));
  const ModelSpec spec = parse_model_spec(
      R"({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "hidden_size": 4, "intermediate_size": 4,
          "num_attention_heads": 2, "vocab_size": 8, "rms_norm_eps": 1e-6})",
      "config.json");
  const PeakBytes peak;
  const Adapter adapter(folder.path(), spec, "model.");
  CHECK(peak.get() < int64_t{1} << 20);
  // B A is [4, 4] of 8,192 each.
  CHECK(adapter.modules().front().change == 4 * 8192.0);
}

TEST_CASE("parsers report it when memory runs out, wherever it does, and give back what they took") {
  const std::string header = "{" + entry("a", "F32", "[2,1]", "[0,8]") + "," +
                             entry("b", "U8", "[3]", "[8,11]") + R"(,"__metadata__":{"format":"pt"}})";
  const auto parse_header = [](const std::string& text) {
    return [text] { parse_safetensors_header(text, 11, "x.safetensors"); };
  };
  CHECK(fail_each_allocation(parse_header(header)) > 20);
  CHECK(fail_each_allocation(parse_header(replaced(header, "[8,11]", "[8,12]"))) > 20);
  CHECK(fail_each_allocation(parse_header(header.substr(0, header.size() - 2))) > 20);

  for (const std::string model : {"llama-rope3-untied-bf16", "llama-tied-f16-v4config", "gemma3-text-bf16",
                                  "gemma2-softcap-bf16-v4config"}) {
    std::string text = read_file(kGolden + model + "/config.json");
    if (model == "llama-rope3-untied-bf16")  // which does not read it: the check that it is switched off does
      text = replaced(text, "\"mlp_bias\"", "\"layer_types\": [\"full_attention\"], \"mlp_bias\"");
    const auto parse_config = [](const std::string& config) {
      return [config] { parse_model_spec(config, "config.json"); };
    };
    CHECK(fail_each_allocation(parse_config(text)) > 100);
    CHECK(fail_each_allocation(
              parse_config(replaced(text, "\"vocab_size\"", "\"clip_qkv\": [1], \"vocab_size\""))) > 100);
    CHECK(fail_each_allocation(parse_config(text.substr(0, text.size() / 2))) > 20);
  }

  std::string text = read_file(kGolden + "qwen3-headdim-bf16--lora_r8/adapter_config.json");
  // No expressions: RE2 loses what it holds when memory runs out in it.
  text = replaced(text, "\"layers_pattern\": null", "\"layers_pattern\": [\"layers\"]");
  const auto parse_adapter = [](const std::string& config) {
    return [config] { parse_adapter_config(config, "adapter_config.json"); };
  };
  CHECK(fail_each_allocation(parse_adapter(text)) > 100);
  CHECK(fail_each_allocation(parse_adapter(replaced(text, "\"r\": 8", "\"r\": []"))) > 50);
}

TEST_CASE("files are closed and given back when memory runs out while they are opened") {
  CHECK(fail_each_allocation([] { Checkpoint checkpoint(kGolden + "qwen3-sharded-bf16"); }) > 200);
  const ModelSpec spec = read_model_spec(kGolden + "llama-rope3-untied-bf16");
  CHECK(fail_each_allocation([] { Model model(kGolden + "llama-rope3-untied-bf16", ""); }) > 400);
  CHECK(fail_each_allocation([&] {
          Adapter adapter(kGolden + "llama-rope3-untied-bf16--lora_rslora_qv", spec, "model.");
        }) > 200);
}

TEST_CASE(
    "what is thrown inside a parallel region is thrown behind it, and the rest of the region is left out") {
  omp_set_num_threads(4);
  ParallelError error;
  int64_t run = 0;
#pragma omp parallel for schedule(static) reduction(+ : run)
  for (int64_t i = 0; i < 1000; ++i) {
    error.guard([&] {
      ++run;
      throw Error(Code::file_changed, "it changed");
    });
  }
  CHECK(code_of([&] { error.rethrow(); }) == "FILE_CHANGED");
  CHECK(run >= 1);
  CHECK(run <= 4);
  const ParallelError none;
  CHECK_NOTHROW(none.rethrow());
}

TEST_CASE("operations report it when memory runs out inside a parallel region") {
  omp_set_num_threads(2);
  const AttentionShape shape = {.heads = 2, .kv_heads = 1, .head_dim = 4, .scale = 0.5f};
  const std::vector<int32_t> parents = {-1, 0, 1, 1};
  const std::vector<float> q = random_floats(32, 1), k = random_floats(16, 2), v = random_floats(16, 3);
  std::vector<float> out(32);
  CHECK(fail_each_allocation(
            [&] { tree_attention(q.data(), k.data(), v.data(), out.data(), parents, 0, 4, shape, Job()); }) > 3);

  const std::vector<int32_t> positions = {0, 1, 2, 2};
  const std::vector<float> frequencies = {1.0f, 0.1f};
  CHECK(fail_each_allocation([&] {
          const RotaryAngles angles(frequencies, 1, 3);
          apply_rotary(out.data(), 8, positions, 2, 4, angles);
        }) > 3);

  Checkpoint checkpoint(kGolden + "llama-tied-f16-v4config");
  const TensorInfo& table = *checkpoint.find("model.embed_tokens.weight");
  std::vector<float> values(static_cast<size_t>(table.elements()));
  CHECK(fail_each_allocation([&] {
          read_weights({&checkpoint, &table}, 0, table.elements(), values.data());
        }) > 1);
}

TEST_CASE("a computation reports it when memory runs out, wherever it does, and gives back what it took") {
  omp_set_num_threads(2);
  const std::string folder = kGolden + "qwen3-headdim-bf16";
  const Model base(folder, ""), finetuned(folder, folder + "--lora_r8");
  const std::vector<int32_t> ids = {1, 2, 3, 1, 2, 4};
  const std::vector<int64_t> offsets = {0, 3, 6};
  const DiffRequest request{{0}, {0, 2}, 0};
  Job job;
  CHECK(fail_each_allocation([&] { paired_diff(base, finetuned, {ids, offsets}, request, job); }) > 200);
  const std::vector<float> vector(static_cast<size_t>(base.spec().d_model), 1.0f);
  CHECK(fail_each_allocation([&] { logit_lens(base, vector.data(), 1, 5, job); }) > 20);
}

TEST_CASE("readings report it when memory runs out, wherever it does, and give back what they took") {
  omp_set_num_threads(2);
  const std::string folder = kGolden + "qwen3-headdim-bf16";
  const Model base(folder, ""), finetuned(folder, folder + "--lora_r8");
  const std::vector<int32_t> ids = {1, 2, 3, 1, 2, 4};
  const std::vector<int64_t> offsets = {0, 3, 6};
  const TokenBatch texts{ids, offsets};
  const std::vector<float> vector(static_cast<size_t>(base.spec().d_model), 1.0f);
  Job job;
  const PatchscopeRequest request{0, {1.0f, 2.0f}, texts, 5, 20, 3.0f, false};
  CHECK(fail_each_allocation([&] { patchscope(finetuned, vector.data(), 1, request, job); }) > 50);
  const Intervention swap{Intervention::Kind::swap, 0, vector, &base};
  CHECK(fail_each_allocation([&] { cross_entropy(finetuned, texts, swap, job); }) > 50);
  CHECK(fail_each_allocation([&] { kl_divergence(base, finetuned, texts, {}, job); }) > 50);
  const CausalRequest effects{0, vector, {Effect::base_to_finetuned, Effect::zero_base}, {}};
  CHECK(fail_each_allocation([&] { causal_effect(base, finetuned, texts, effects, job); }) > 50);
  CHECK(fail_each_allocation([&] { embed_texts(base, texts, Pooling::mean, job); }) > 50);
  CHECK(fail_each_allocation([&] { principal_components(base, finetuned, texts, {0, {1}, 2}, job); }) > 50);
}

TEST_CASE("a generation reports it when memory runs out, wherever it does, and gives back what it took") {
  omp_set_num_threads(2);
  const std::string folder = kGolden + "qwen3-headdim-bf16";
  const Model model(folder, folder + "--lora_r8");
  const std::vector<int32_t> ids = {1, 2, 3, 1, 2, 4};
  const std::vector<int64_t> offsets = {0, 3, 6};
  GenerateRequest request;
  request.prompts = {ids, offsets};
  request.steering = {0, std::vector<float>(static_cast<size_t>(model.spec().d_model), 0.1f)};
  request.strengths = {0.5f, 1.0f};
  request.sampling = {.temperature = 1, .top_k = 20, .top_p = 0.9, .repetition_penalty = 1.2};
  request.max_new_tokens = 2;  // the second is decoded with what the first left; more would be like it
  Job job;
  for (const int64_t budget : {int64_t{1} << 30, int64_t{1}}) {
    request.memory_budget = budget;
    CHECK(fail_each_allocation([&] { generate(model, request, job); }) > 200);
  }
}

TEST_CASE("bfloat16 weights take the memory that the budget counts, with a product for them and without") {
  const int64_t value_bytes = has_bfloat16_product() ? 2 : 4;
  const auto values = random_floats(600 * 100, 11);
  const int64_t before = live_bytes();
  const PackedMatrix weights = PackedMatrix::from(values, 600, 100, Precision::bfloat16);
  const int64_t taken = live_bytes() - before;
  CHECK(PackedMatrix::bytes(600, 100, Precision::bfloat16) == 600 * 100 * value_bytes);
  CHECK(taken >= 600 * 100 * value_bytes);
  CHECK(taken < 600 * 100 * value_bytes + 64);
  CHECK(weights.is_narrow() == has_bfloat16_product());
}

TEST_CASE("an update of the head takes memory by the block of the vocabulary, and is B (A x) throughout") {
  constexpr int64_t kVocabulary = 3 * 4096 + 700, kWidth = 4, kRank = 2, kRows = 64;
  const auto file = [](const std::vector<std::tuple<std::string, int64_t, int64_t, std::vector<float>>>& tensors) {
    std::string header, data;
    for (const auto& [tensor, rows, columns, values] : tensors) {
      const std::string first = std::to_string(data.size());
      data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
      const std::string shape = columns == 0 ? std::to_string(rows) : std::to_string(rows) + "," + std::to_string(columns);
      header += (header.empty() ? "{" : ",") + entry(tensor, "F32", "[" + shape + "]", "[" + first + "," + std::to_string(data.size()) + "]");
    }
    return safetensors_bytes(header + "}", data);
  };
  const auto matrix = [](int64_t rows, int64_t columns, uint32_t seed) {
    return std::tuple(rows, columns, random_floats(static_cast<size_t>(rows * std::max(columns, int64_t{1})), seed));
  };
  const auto named = [](const std::string& tensor, const auto& of) {
    return std::tuple(tensor, std::get<0>(of), std::get<1>(of), std::get<2>(of));
  };
  const auto head = matrix(kVocabulary, kWidth, 1), a = matrix(kRank, kWidth, 2), b = matrix(kVocabulary, kRank, 3),
             square = matrix(kWidth, kWidth, 4), norm = matrix(kWidth, 0, 5);
  const TemporaryFolder base, adapter;
  base.write("config.json",
             R"({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "hidden_size": 4, "intermediate_size": 4,
                 "num_attention_heads": 2, "rms_norm_eps": 1e-6, "vocab_size": )" +
                 std::to_string(kVocabulary) + "}");
  const std::string block = "model.layers.0.";
  base.write("model.safetensors",
             file({named("model.embed_tokens.weight", head), named("lm_head.weight", head), named("model.norm.weight", norm),
                   named(block + "input_layernorm.weight", norm), named(block + "post_attention_layernorm.weight", norm),
                   named(block + "self_attn.q_proj.weight", square), named(block + "self_attn.k_proj.weight", square),
                   named(block + "self_attn.v_proj.weight", square), named(block + "self_attn.o_proj.weight", square),
                   named(block + "mlp.gate_proj.weight", square), named(block + "mlp.up_proj.weight", square),
                   named(block + "mlp.down_proj.weight", square)}));
  adapter.write("adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["lm_head"]})");
  adapter.write("adapter_model.safetensors", file({named("base_model.model.lm_head.lora_A.weight", a),
                                                   named("base_model.model.lm_head.lora_B.weight", b)}));
  const Model plain(base.path(), ""), adapted(base.path(), adapter.path());
  const auto vectors = random_floats(kRows * kWidth, 6);
  Job job;
  const auto logits_of = [&](const Model& model, int64_t* bytes) {
    std::vector<float> all(static_cast<size_t>(kRows * kVocabulary));
    const PeakBytes peak;
    unembed(model, vectors.data(), kRows,
            [&](const float* logits, int64_t count, int32_t first) {
              for (int64_t row = 0; row < kRows; ++row)
                std::copy_n(logits + row * count, count, &all[static_cast<size_t>(row * kVocabulary + first)]);
            },
            job);
    *bytes = peak.get();
    return all;
  };
  int64_t plain_bytes = 0, adapted_bytes = 0;
  const auto before = logits_of(plain, &plain_bytes), after = logits_of(adapted, &adapted_bytes);
  CHECK(adapted_bytes - plain_bytes < 3 * kRows * 4096 * 4);  // of kRows · kVocabulary · 4 in all

  std::vector<float> expected;
  for (int64_t row = 0; row < kRows; ++row) {
    double squares = 0, inner[kRank] = {};
    for (int64_t k = 0; k < kWidth; ++k) squares += std::pow(static_cast<double>(vectors[static_cast<size_t>(row * kWidth + k)]), 2);
    for (int64_t r = 0; r < kRank; ++r) {
      for (int64_t k = 0; k < kWidth; ++k) {
        inner[r] += static_cast<double>(std::get<2>(a)[static_cast<size_t>(r * kWidth + k)]) *
                    vectors[static_cast<size_t>(row * kWidth + k)] * std::get<2>(norm)[static_cast<size_t>(k)] /
                    std::sqrt(squares / kWidth + 1e-6);
      }
    }
    for (int64_t t = 0; t < kVocabulary; ++t) {
      double update = 0;
      for (int64_t r = 0; r < kRank; ++r) update += inner[r] * std::get<2>(b)[static_cast<size_t>(t * kRank + r)];
      expected.push_back(before[static_cast<size_t>(row * kVocabulary + t)] + static_cast<float>(3 * update));
    }
  }
  CHECK(relative_l2(after.data(), expected.data(), after.size()) < 1e-6);
}
