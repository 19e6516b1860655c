// PEFT adapters: what does not fit, or would be read wrongly, is refused by name.
#include "models/adapter.h"

#include "models/model.h"
#include "models/open_model.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kBase = std::string(FIXTURES) + "/golden/qwen3-headdim-bf16";
const std::string kAdapter = kBase + "--lora_r8";

struct Change {
  std::string file, from, to, code, names;
};

const std::string kConfig = "adapter_config.json", kWeights = "adapter_model.safetensors";

}  // namespace

TEST_CASE("the golden adapter opens, and every module has a change") {
  const Model model(kBase, kAdapter);
  REQUIRE(model.adapter() != nullptr);
  CHECK(model.adapter()->modules().size() == 28);
  for (const AdaptedModule& module : model.adapter()->modules()) CHECK(module.change > 0);
}

TEST_CASE("the norm of a change is that of scale · B A") {
  const Model model(kBase, kAdapter);
  const LowRank* update = model.adapter()->find(0, Role::q);
  REQUIRE(update != nullptr);
  const auto [out, in] = linear_shape(model.spec(), model.spec().blocks[0], Role::q);
  double squares = 0;
  for (int64_t i = 0; i < out; ++i) {
    for (int64_t j = 0; j < in; ++j) {
      double value = 0;
      for (int64_t r = 0; r < update->rank; ++r)
        value += static_cast<double>(update->b.panel_f32(0)[r * out + i]) * update->a.panel_f32(0)[j * update->rank + r];
      squares += value * value;
    }
  }
  const auto& modules = model.adapter()->modules();
  CHECK(modules.front().name == "layers.0.self_attn.q_proj");
  CHECK(modules.front().change == doctest::Approx(update->scale * std::sqrt(squares)).epsilon(1e-9));
}

TEST_CASE("each thing that does not fit is refused by name") {
  const std::string bad = "INVALID_ADAPTER", no = "MODEL_UNSUPPORTED";
  const std::vector<Change> changes = {
      {kConfig, "\"r\": 8", "\"r\": 0", bad, "r"},
      {kConfig, "\"r\": 8", "\"r\": -1", bad, "r"},
      {kConfig, "\"r\": 8", "\"r\": 1000000000", bad, "r"},
      {kConfig, "\"r\": 8", "\"r\": \"8\"", bad, "r"},
      {kConfig, "\"r\": 8", "\"r\": 4", bad, "lora_A"},
      {kConfig, "\"lora_alpha\": 16", "\"lora_alpha\": 0", bad, "lora_alpha"},
      {kConfig, "\"lora_alpha\": 16", "\"lora_alpha\": 1e38", bad, "lora_alpha"},
      {kConfig, "\"lora_alpha\": 16", "\"lora_alpha\": NaN", bad, "not valid JSON"},
      {kConfig, "\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"", no, "IA3"},
      {kConfig, "\"use_dora\": false", "\"use_dora\": true", no, "use_dora"},
      {kConfig, "\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", bad, "modules_to_save"},
      {kConfig, "\"modules_to_save\": null", "\"modules_to_save\": \"lm_head\"", bad, "modules_to_save"},
      {kConfig, "\"exclude_modules\": null", "\"exclude_modules\": [\"q_proj\"]", bad, "q_proj"},
      {kConfig, "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 4}", bad, "q_proj.lora_A"},
      {kConfig, "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 0}", bad, "rank_pattern.q_proj"},
      {kConfig, "\"rank_pattern\": {}", "\"rank_pattern\": {\"(?=a)b\": 4}", no, "rank_pattern.(?=a)b"},
      {kConfig, "\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": -1}", bad, "alpha_pattern.q_proj"},
      {kConfig, "\"layers_to_transform\": null", "\"layers_to_transform\": [-1]", bad, "layers_to_transform"},
      {kConfig, "\"layers_to_transform\": null", "\"layers_to_transform\": [0, 1]", bad,
       "layers_to_transform"},
      {kConfig, "\"layers_to_transform\": null", "\"layers_to_transform\": 2", bad, "layers_to_transform"},
      {kConfig, "\"bias\": \"none\"", "\"bias\": \"some\"", no, "bias"},
      {kConfig, "\"lora_bias\": false", "\"lora_bias\": true", no, "lora_bias"},
      {kConfig, "\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", no, "init_lora_weights"},
      {kConfig, "\"init_lora_weights\": true", "\"init_lora_weights\": \"olora\"", no, "init_lora_weights"},
      {kConfig, "\"loftq_config\": {}", "\"loftq_config\": {\"bits\": 4}", no, "loftq_config"},
      {kConfig, "\"use_dora\": false", "\"use_dora\": false, \"invented_variant\": 3", no,
       "invented_variant"},
      {kConfig, "\"q_proj\",", "", bad, "q_proj"},
      {kWeights, "layers.0.self_attn.q_proj.lora_A", "layers.9.self_attn.q_proj.lora_A", bad, "layers.9"},
      {kWeights, "layers.0.self_attn.q_proj.lora_A", "layers.0.self_attn.x_proj.lora_A", bad, "x_proj"},
      {kWeights, "layers.0.self_attn.q_proj.lora_A", "layers.0.self_attn.q_proj.lora_C", bad, "lora_C"},
  };
  for (const Change& change : changes) {
    CAPTURE(change.from);
    CAPTURE(change.to);
    const TemporaryFolder folder;
    folder.copy_from(kAdapter);
    folder.write(change.file, replaced(read_file(kAdapter + "/" + change.file), change.from, change.to));
    std::string message;
    CHECK(code_of([&] { Model model(kBase, folder.path()); }, &message) == change.code);
    CAPTURE(message);
    CHECK(message.find(change.names) != std::string::npos);
  }
}

TEST_CASE("an adapter whose B is zero everywhere is inert, and one with NaN is broken") {
  const Safetensors file(kAdapter + "/" + kWeights);
  std::string whole = read_file(kAdapter + "/" + kWeights), spoiled = whole;
  for (const auto& [tensor, info] : file.tensors()) {
    if (tensor.find("lora_B") == std::string::npos) continue;
    std::fill_n(whole.begin() + static_cast<int64_t>(info.offset), info.bytes, '\0');
    std::fill_n(spoiled.begin() + static_cast<int64_t>(info.offset), info.bytes, '\xff');
  }
  const TemporaryFolder folder;
  folder.copy_from(kAdapter);
  folder.write(kWeights, whole);
  CHECK(code_of([&] { Model model(kBase, folder.path()); }) == "ADAPTER_INERT");
  folder.write(kWeights, spoiled);
  CHECK(code_of([&] { Model model(kBase, folder.path()); }) == "INVALID_ADAPTER");
}

TEST_CASE("files that are not there") {
  const TemporaryFolder folder;
  CHECK(code_of([&] { Model model(kBase, folder.path("none")); }) == "FILE_NOT_FOUND");
  CHECK(code_of([&] { Model model(kBase, folder.path()); }) == "FILE_NOT_FOUND");
  folder.write(kConfig, read_file(kAdapter + "/" + kConfig));
  folder.write("adapter_model.bin", "pickle");
  std::string message;
  CHECK(code_of([&] { Model model(kBase, folder.path()); }, &message) == "FILE_NOT_FOUND");
  CHECK(message.find("pickles are never opened") != std::string::npos);
}

TEST_CASE("an adapter of another base does not fit") {
  const std::string other = std::string(FIXTURES) + "/golden/llama-rope3-untied-bf16";
  CHECK(code_of([&] { Model model(other, kAdapter); }) == "INVALID_ADAPTER");
}

TEST_CASE(
    "patterns give modules their own alpha, and a target that is no list leaves the choice to the file") {
  const Model plain(kBase, kAdapter);
  const TemporaryFolder folder;
  folder.copy_from(kAdapter);
  std::string text = read_file(kAdapter + "/" + kConfig);
  text = replaced(text, "\"alpha_pattern\": {}",
                  "\"alpha_pattern\": {\"q_proj\": 32, \"model.layers.1.mlp.up_proj\": 8}");
  text = replaced(text, "\"rank_pattern\": {}", "\"rank_pattern\": {\"self_attn.k_proj\": 8}");
  const size_t begin = text.find("\"target_modules\""), end = text.find(']', begin);
  text.replace(begin, end + 1 - begin, "\"target_modules\": \"all-linear\"");
  folder.write(kConfig, text);
  const Model patterned(kBase, folder.path());
  const auto scale = [](const Model& model, int64_t layer, Role role) {
    return model.adapter()->find(layer, role)->scale;
  };
  CHECK(scale(plain, 1, Role::q) == 2.0f);
  CHECK(scale(patterned, 1, Role::q) == 4.0f);
  CHECK(scale(patterned, 1, Role::up) == 1.0f);
  CHECK(scale(patterned, 2, Role::up) == 2.0f);
  CHECK(scale(patterned, 1, Role::k) == 2.0f);
}

namespace {

/// The adapter's file with every lora_B multiplied by a power of two.
std::string scaled_b(const std::string& path, int exponent) {
  std::string bytes = read_file(path);
  const Safetensors file(path);
  for (const auto& [tensor, info] : file.tensors()) {
    if (tensor.find("lora_B") == std::string::npos) continue;
    REQUIRE(info.dtype == DType::f32);
    for (int64_t i = 0; i < info.elements(); ++i) {
      char* at = bytes.data() + info.offset + i * 4;
      float value;
      std::memcpy(&value, at, 4);
      value = std::ldexp(value, exponent);
      std::memcpy(at, &value, 4);
    }
  }
  return bytes;
}

Canary canary_of(const std::string& base, const std::string& adapter) {
  Job job;
  return open_model(base, adapter, Precision::float32, job).canary.value();
}

}  // namespace

TEST_CASE("the canary tells where an adapter first shows") {
  const std::string golden = std::string(FIXTURES) + "/golden/";
  const Canary first = canary_of(kBase, kAdapter);
  CHECK(first.moved_at == "layer 0");
  CHECK(first.relative_change > 1e-3);
  CHECK(canary_of(golden + "gemma3-text-bf16", golden + "gemma3-text-bf16--lora_layers").moved_at == "layer 2");
  Job job;
  CHECK(!open_model(kBase, "", Precision::float32, job).canary.has_value());
}

TEST_CASE("an adapter whose updates are not zero and still move nothing is inert") {
  const TemporaryFolder folder;
  folder.copy_from(kAdapter);
  folder.write(kWeights, scaled_b(kAdapter + "/" + kWeights, -60));
  const Model model(kBase, folder.path());
  for (const AdaptedModule& module : model.adapter()->modules()) CHECK(module.change > 0);
  std::string message;
  CHECK(code_of([&] { canary_of(kBase, folder.path()); }, &message) == "ADAPTER_INERT");
  CHECK(message.find("too small to move any activation") != std::string::npos);
}
