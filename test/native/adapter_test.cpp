// PEFT adapters: what does not fit, or would be read wrongly, is refused by name.
#include "models/adapter.h"

#include "models/family.h"
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

namespace {

/// A Qwen3-MoE of one block, with two experts, and an adapter of float32 matrices to it.
struct ExpertAdapter {
  struct Matrix {
    std::string name;
    int64_t rows, columns;
    std::vector<float> values;
  };

  ExpertAdapter(int64_t width, const std::string& config, const std::vector<Matrix>& matrices)
      : spec(parse_model_spec(
            R"({"architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 1, "hidden_size": 4, "head_dim": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 8, "intermediate_size": 4,
                "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": )" +
                std::to_string(width) + "}",
            "config.json")) {
    folder.write(kConfig, R"({"peft_type": "LORA", "r": 1, "lora_alpha": 2, )" + config + "}");
    std::string header, data;
    for (const Matrix& m : matrices) {
      const size_t first = data.size();
      data.append(reinterpret_cast<const char*>(m.values.data()), m.values.size() * sizeof(float));
      header += (header.empty() ? "{" : ",") + ("\"base_model.model.model.layers.0.mlp." + m.name) +
                R"(.weight": {"dtype": "F32", "shape": [)" + std::to_string(m.rows) + "," +
                std::to_string(m.columns) + R"(], "data_offsets": [)" + std::to_string(first) + "," +
                std::to_string(data.size()) + "]}";
    }
    folder.write(kWeights, safetensors_bytes(header + "}", data));
  }

  Adapter open() const { return {folder.path(), spec, "model."}; }

  TemporaryFolder folder;
  ModelSpec spec;
};

/// A matrix of one panel, dense.
std::vector<float> values_of(const PackedMatrix& m) {
  std::vector<float> values;
  for (int64_t j = 0; j < m.out(); ++j) {
    for (int64_t k = 0; k < m.in(); ++k) values.push_back(m.panel_f32(0)[k * m.out() + j]);
  }
  return values;
}

using Floats = std::vector<float>;
const std::string kDown = R"("target_modules": [], "target_parameters": ["mlp.experts.down_proj"])",
                  kGateUp = R"("target_modules": null, "target_parameters": ["experts.gate_up_proj"])",
                  kBoth = R"("target_parameters": ["down_proj", "gate_up_proj"])";
const ExpertAdapter::Matrix kDownA = {"experts.lora_A", 2, 3, {1, 2, 3, 4, 5, 6}},
                            kDownB = {"experts.lora_B", 4, 2, {1, 10, 2, 20, 3, 30, 4, 40}};

}  // namespace

TEST_CASE("an update of all experts as one tensor is cut into each expert's") {
  const ExpertAdapter files(3, kDown, {kDownA, kDownB});
  const Adapter adapter = files.open();
  for (const int64_t expert : {0, 1}) {
    const LowRank* update = adapter.find(0, Role::down, expert);
    REQUIRE(update != nullptr);
    CHECK(update->scale == 2.0f);
    CHECK(values_of(update->a) == (expert == 0 ? Floats{1, 2, 3} : Floats{4, 5, 6}));
    CHECK(values_of(update->b) == (expert == 0 ? Floats{1, 2, 3, 4} : Floats{10, 20, 30, 40}));
  }
  CHECK(adapter.find(0, Role::gate, 0) == nullptr);
  REQUIRE(adapter.modules().size() == 1);
  CHECK(adapter.modules().front().name == "layers.0.mlp.experts.down_proj");
  // ‖b aᵀ‖ = ‖b‖ ‖a‖, and the squares of the experts add up.
  CHECK(adapter.modules().front().change == doctest::Approx(2 * std::sqrt(30.0 * 14 + 3000.0 * 77)).epsilon(1e-12));
  CHECK(adapter.parameters() == 14);
  CHECK(adapter.max_rank() == 1);
}

TEST_CASE("PEFT before 0.19 exchanged the halves of an expert's update") {
  const std::vector<ExpertAdapter::Matrix> turned = {{"experts.lora_A", 2, 4, {1, 2, 3, 4, 10, 20, 30, 40}},
                                                     {"experts.lora_B", 3, 2, {1, 4, 2, 5, 3, 6}}};
  const ExpertAdapter plain_files(3, kDown, {kDownA, kDownB}), turned_files(3, kDown, turned);
  const Adapter plain = plain_files.open(), other = turned_files.open();
  for (const int64_t expert : {0, 1}) {
    const LowRank *one = plain.find(0, Role::down, expert), *two = other.find(0, Role::down, expert);
    REQUIRE(two != nullptr);
    CHECK(values_of(one->a) == values_of(two->a));
    CHECK(values_of(one->b) == values_of(two->b));
  }
  CHECK(plain.modules().front().change == other.modules().front().change);

  // Of square matrices only the version can tell.
  const std::vector<ExpertAdapter::Matrix> square = {{"experts.lora_A", 2, 4, {1, 2, 3, 4, 5, 6, 7, 8}},
                                                     {"experts.lora_B", 4, 2, {1, 10, 2, 20, 3, 30, 4, 40}}};
  const auto gate_of_expert_1 = [&](const std::string& version) {
    const ExpertAdapter files(2, kGateUp + version, square);
    const Adapter adapter = files.open();
    const LowRank *gate = adapter.find(0, Role::gate, 1), *up = adapter.find(0, Role::up, 1);
    return std::array{values_of(gate->a), values_of(gate->b), values_of(up->b)};
  };
  for (const std::string version : {"0.19.0", "0.21.1", "1.0.0"}) {
    CHECK(gate_of_expert_1(R"(, "peft_version": ")" + version + "\"") ==
          std::array{Floats{5, 6, 7, 8}, Floats{10, 20}, Floats{30, 40}});
  }
  for (const std::string version : {"0.17.1", "0.18.1.dev0@main"}) {
    CHECK(gate_of_expert_1(R"(, "peft_version": ")" + version + "\"") ==
          std::array{Floats{10, 20, 30, 40}, Floats{5, 6}, Floats{7, 8}});
  }
  std::string message;
  for (const std::string unclear : {"", R"(, "peft_version": "main")", R"(, "peft_version": 19)"}) {
    CHECK(code_of([&] { gate_of_expert_1(unclear); }, &message) == "INVALID_ADAPTER");
    CHECK(message.find("no peft_version") != std::string::npos);
  }
}

TEST_CASE("updates of experts that do not fit are refused by name") {
  using Matrices = std::vector<ExpertAdapter::Matrix>;
  const auto inner = [](ExpertAdapter::Matrix m) {
    m.name = replaced(m.name, "experts", "experts.base_layer");
    return m;
  };
  const ExpertAdapter::Matrix expert_a = {"experts.0.down_proj.lora_A", 1, 3, {1, 2, 3}},
                              expert_b = {"experts.0.down_proj.lora_B", 4, 1, {1, 2, 3, 4}},
                              short_a = {"experts.lora_A", 1, 3, {1, 2, 3}},
                              router_a = {"gate.lora_A", 1, 4, {1, 2, 3, 4}}, router_b = {"gate.lora_B", 2, 1, {1, 2}};
  const std::string router = R"("target_parameters": ["mlp.gate.weight"])";
  const std::vector<std::tuple<std::string, Matrices, std::string>> cases = {
      {kGateUp, {kDownA, kDownB}, "experts.lora_A.weight should have shape [2, 4]"},
      {kDown, {short_a, kDownB}, "should have shape [2, 3], found [1, 3]"},
      {kDown, {inner(kDownA), inner(kDownB)}, "matches no module"},
      {kBoth, {kDownA, kDownB}, "no tensors for layers.0.mlp.experts.gate_up_proj, which target_parameters"},
      {R"("target_modules": ["down_proj"])", {kDownA, kDownB}, "matches no module"},
      {R"("target_modules": ["down_proj"], "target_parameters": ["down_proj"])",
       {kDownA, kDownB, expert_a, expert_b},
       "and another one both adapt expert 0 of layers.0.mlp.experts.0.down_proj"},
      {kDown, {kDownA}, "lora_A without lora_B"},
      {R"("target_modules": ["q_proj"])", {router_a, router_b}, "is not among target_modules"},
      {R"("target_parameters": ["mlp.gate.weight", "down_proj"])",
       {kDownA, kDownB},
       "no tensors for layers.0.mlp.gate, which target_parameters"},
      {R"("target_parameters": "down_proj")", {kDownA, kDownB}, "target_parameters"},
      {R"("target_parameters": [])", {kDownA, kDownB}, "target_modules"},
  };
  for (const auto& [config, matrices, names] : cases) {
    CAPTURE(config);
    CAPTURE(names);
    const ExpertAdapter files(3, config, matrices);
    std::string message;
    CHECK(code_of([&] { files.open(); }, &message) == "INVALID_ADAPTER");
    CAPTURE(message);
    CHECK(message.find(names) != std::string::npos);
  }
  const ExpertAdapter routed(3, router + R"(, "rank_pattern": {"mlp.gate.weight": 1}, "alpha_pattern": {"gate": 9})",
                             {router_a, router_b});
  CHECK(routed.open().find(0, Role::router)->scale == 2.0f);  // patterns see "…mlp.gate.weight"
}

TEST_CASE("opening looks at the flag of its job: while an adapter is read, and while what it replaces is compared") {
  const std::string golden = std::string(FIXTURES) + "/golden/llama-tied-bf16";
  Job job;
  for (const std::string adapter : {"--lora_head", "--lora_embed", "--lora_saved_embed", "--lora_saved_head"}) {
    CAPTURE(adapter);
    job.cancelled = false;
    CHECK_NOTHROW(Model(golden, golden + adapter, Precision::float32, job));
    job.cancelled = true;
    CHECK(code_of([&] { Model(golden, golden + adapter, Precision::float32, job); }) == "CANCELLED");
  }
}
