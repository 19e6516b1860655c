// Files by people who mean harm, or whose disk was full: three lists, numbered by the kind of defect. Defects
// of one value among many are also in safetensors_test, config_test, checkpoint_test and adapter_test.
#include <nlohmann/json.hpp>

#include "format/checkpoint.h"
#include "hostile_files.h"
#include "models/family.h"
#include "models/model.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kGolden = std::string(FIXTURES) + "/golden/";
const std::string kLlamaBase = kGolden + "llama-tied-f16-v4config",
                  kQwenBase = kGolden + "qwen3-headdim-bf16", kLora = kQwenBase + "--lora_r8",
                  kGemmaBase = kGolden + "gemma3-text-bf16";
const std::string kConfig = "config.json", kAdapterConfig = "adapter_config.json",
                  kAdapterWeights = "adapter_model.safetensors";

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// Plain ASCII with a zero byte behind every character.
std::string utf16(const std::string& text) {
  std::string wide = "\xff\xfe";
  for (const char c : text) wide += {c, '\0'};
  return wide;
}

void check_refusal(const std::string& code, const std::string& message, const std::string& expected,
                   const std::string& named) {
  CAPTURE(message);
  CHECK(code == expected);
  CHECK(message.find(named) != std::string::npos);
  CHECK(message.size() < 400);
  CHECK(std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < 0x20; }));
}

/// A text where a golden file has another: what, the file's new text, code ("" when it is to open), words of
/// the message.
struct Text {
  int number;
  const char* what;
  std::string text;
  const char *code, *named;
};

/// Opens a model with every text in the place of its config.json.
void check_configs(const std::string& source, const std::vector<Text>& texts) {
  const TemporaryFolder folder;
  folder.copy_from(source);
  for (const Text& row : texts) {
    CAPTURE(row.number);
    CAPTURE(row.what);
    folder.write(kConfig, row.text);
    std::string message;
    const std::string code = code_of([&] { Model model(folder.path(), ""); }, &message);
    check_refusal(code, message, row.code, row.named);
  }
}

void check_adapters(const std::vector<Text>& texts) {
  const TemporaryFolder folder;
  folder.copy_from(kLora);
  for (const Text& row : texts) {
    CAPTURE(row.number);
    CAPTURE(row.what);
    folder.write(kAdapterConfig, row.text);
    std::string message;
    const std::string code = code_of([&] { Model model(kQwenBase, folder.path()); }, &message);
    check_refusal(code, message, row.code, row.named);
  }
}

/// Replaces a safetensors file's header, which is JSON.
template <typename Change>
std::string with_header(const std::string& whole, const Change& change) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, whole.data(), 8);
  auto header = nlohmann::json::parse(whole.substr(8, bytes));
  change(header);
  return safetensors_bytes(header.dump(), whole.substr(8 + bytes));
}

}  // namespace

// ---- safetensors: 1 too short, 2 too long a header, 3 doubled names, 4 overlaps, 5 holes, 6 shapes that
// overflow, 7 numbers that are none, 8 no header, 9 odd places, 10 too much, 11 names, 12 changes under way
// ----

TEST_CASE("hostile safetensors files 1 to 8, 10 and 11 are refused by name") {
  const TemporaryFolder folder;
  for (const HostileFile& file : hostile_safetensors()) {
    CAPTURE(file.number);
    CAPTURE(file.what);
    folder.write("x.safetensors", file.bytes);
    std::string message;
    const std::string code = code_of([&] { Safetensors opened(folder.path("x.safetensors")); }, &message);
    check_refusal(code, message, "INVALID_SAFETENSORS", file.named);
    CHECK(message.starts_with(folder.path("x.safetensors") + ": "));
  }
}

TEST_CASE("hostile safetensors 9: numbers at odd places are read") {
  const TemporaryFolder folder;
  // The header has 127 bytes, so that neither it nor the tensor behind one byte is aligned.
  const double value = 2.5;
  std::string data = "\x07";
  data.append(reinterpret_cast<const char*>(&value), sizeof(value));
  const std::string header =
      "{" + entry("b", "F64", "[1]", "[1,9]") + "," + entry("a", "U8", "[1]", "[0,1]") + "}";
  REQUIRE(header.size() % 8 != 0);
  folder.write("x.safetensors", safetensors_bytes(header, data));
  const Safetensors file(folder.path("x.safetensors"));
  const auto bytes = file.contents(file.tensors().at("b"));
  double read = 0;
  REQUIRE(bytes.size() == sizeof(read));
  std::memcpy(&read, bytes.data(), sizeof(read));
  CHECK(read == value);
}

TEST_CASE("hostile safetensors 11: a name is a key, never a path") {
  const TemporaryFolder folder;
  folder.write("secret", "not a tensor");
  const std::string header =
      "{" + entry("../secret", "U8", "[1]", "[0,1]") + "," + entry("secret", "U8", "[1]", "[1,2]") + "}";
  std::filesystem::create_directory(folder.path("inner"));
  folder.write("inner/x.safetensors", safetensors_bytes(header, "ab"));
  const Safetensors file(folder.path("inner/x.safetensors"));
  CHECK(file.contents(file.tensors().at("../secret")) == std::vector<uint8_t>{'a'});
}

TEST_CASE("hostile safetensors 12: grown or replaced while open, and weights that are no numbers") {
  const TemporaryFolder folder;
  const std::string path = folder.path("x.safetensors");
  const std::string whole = safetensors_bytes("{" + entry("a", "U8", "[4]", "[0,4]") + "}", "abcd");
  const std::vector<uint8_t> contents = {'a', 'b', 'c', 'd'};

  folder.write("x.safetensors", whole);
  const Safetensors grown(path);
  std::ofstream(path, std::ios::binary | std::ios::app) << "more";
  CHECK(grown.contents(grown.tensors().at("a")) == contents);
  CHECK(code_of([&] { grown.file().require_unchanged(); }) == "FILE_CHANGED");

  folder.write("x.safetensors", whole);
  const Safetensors replaced(path);
  folder.write("y.safetensors", safetensors_bytes("{" + entry("a", "U8", "[4]", "[0,4]") + "}", "efgh"));
  std::filesystem::rename(folder.path("y.safetensors"), path);
  CHECK(replaced.contents(replaced.tensors().at("a")) == contents);  // the file that was opened, whole

  // All of the embedding is NaN: such a model opens. What it computes is counted and shown.
  folder.copy_from(kLlamaBase);
  const Safetensors model(kLlamaBase + "/model.safetensors");
  const TensorInfo& table = model.tensors().at("model.embed_tokens.weight");
  std::string spoiled = read_file(kLlamaBase + "/model.safetensors");
  std::fill_n(spoiled.begin() + static_cast<int64_t>(table.offset), table.bytes, '\xff');
  folder.write("model.safetensors", spoiled);
  CHECK(code_of([&] { Model opened(folder.path(), ""); }) == "");
}

TEST_CASE("hostile safetensors 12: names in an index are as hostile as all others") {
  const std::string index = read_file(kGolden + "qwen3-sharded-bf16/model.safetensors.index.json");
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& code,
                           const std::string& named) {
    const TemporaryFolder folder;
    folder.copy_from(kGolden + "qwen3-sharded-bf16");
    folder.write("other.safetensors",
                 read_file(kGolden + "qwen3-sharded-bf16/model-00001-of-00003.safetensors"));
    folder.write("model.safetensors.index.json", replaced(index, from, to));
    std::string message;
    check_refusal(code_of([&] { Checkpoint checkpoint(folder.path()); }, &message), message, code, named);
  };
  const std::string shard = "model-00001-of-00003.safetensors";
  refused(shard, "model-00009-of-00003.safetensors", "FILE_NOT_FOUND", "model-00009-of-00003.safetensors");
  refused("\"" + shard, "\"../" + shard, "INVALID_WEIGHTS", "not mapped to a file name");
  refused("\"" + shard, "\"/" + shard, "INVALID_WEIGHTS", "not mapped to a file name");
  refused("\"" + shard, "\"a\\n" + shard, "INVALID_WEIGHTS", "not mapped to a file name");
  refused("\"" + shard, "\"" + std::string(300, 'x'), "INVALID_WEIGHTS", "not mapped to a file name");
  refused("\"model.norm.weight\"", "\"a\\n" + std::string(100'000, 'x') + "\"", "INVALID_WEIGHTS", "a\\nxxx");
}

// ---- config.json: 1 no object, 2 too much, 3 doubled keys, 4 sizes, 5 heads, 6 layers, 7 vocabulary, 8 code
// and architectures, 9 rotation, 10 number formats, 11 paths, 12 what is not read, 13 two families at once,
// 14 experts
// ---- 3, 4 and 6 are in config_test.

TEST_CASE("hostile config.json") {
  const std::string text = read_file(kLlamaBase + "/config.json");
  const char *bad = "INVALID_CONFIG", *no = "MODEL_UNSUPPORTED";
  const auto with = [&](const std::string& from, const std::string& to) { return replaced(text, from, to); };
  const auto adding = [&](const std::string& fields) {
    return with("\"mlp_bias\"", fields + ", \"mlp_bias\"");
  };
  const auto rope = [&](const std::string& settings) {
    return with("\"rope_scaling\": null", "\"rope_scaling\": " + settings);
  };
  std::string keys, architectures, ids;
  for (int i = 0; i < 1'000'000; ++i) keys += "\"k" + std::to_string(i) + "\": 0, ";
  for (int i = 0; i < 10'000; ++i) architectures += "\"LlamaForCausalLM\", ";
  for (int i = 0; i < 1'000'000; ++i) ids += std::to_string(i) + ", ";
  check_configs(
      kLlamaBase,
      {
          {1, "nothing", "", bad, "not valid JSON"},
          {1, "null", "null", bad, "object"},
          {1, "a list", "[]", bad, "object"},
          {1, "byte order mark", "\xef\xbb\xbf" + text, bad, "byte order mark"},
          {1, "UTF-16", utf16(text), bad, "NUL"},
          {2, "100,000 deep", R"({"a":)" + std::string(100'000, '['), bad, "nested"},
          {2, "1,000,000 keys", with("{", "{" + keys), bad, "fields"},
          {2, "key __proto__", adding(R"("__proto__": {"hidden_size": 8})"), "", ""},
          {2, "key with a line feed in a place that is read", rope(R"({"rope_type": "default", "a\nb": 1})"),
           no, "rope_scaling.a\\nb"},
          {5, "heads that do not divide the width",
           with("\"num_attention_heads\": 4", "\"num_attention_heads\": 3"), bad, "num_key_value_heads"},
          {5, "the same, each with its own key",
           replaced(with("\"num_attention_heads\": 4", "\"num_attention_heads\": 3"),
                    "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3"),
           bad, "num_attention_heads"},
          {5, "more key heads than heads", with("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 8"),
           bad, "num_key_value_heads"},
          {5, "head_dim of another size than the tensors", adding("\"head_dim\": 32"), "INVALID_WEIGHTS",
           "q_proj"},
          {5, "one head of more than 65,536 values",
           replaced(replaced(with("\"hidden_size\": 64", "\"hidden_size\": 131072"),
                             "\"num_attention_heads\": 4", "\"num_attention_heads\": 1"),
                    "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 1"),
           bad, "head_dim"},
          {7, "fewer ids than rows", with("\"vocab_size\": 331", "\"vocab_size\": 330"), bad, "vocab_size"},
          {7, "more ids than rows", with("\"vocab_size\": 331", "\"vocab_size\": 332"), bad, "vocab_size"},
          {8, "code to load", adding(R"("auto_map": {"AutoModelForCausalLM": "evil--evil.Model"})"), "", ""},
          {8, "unknown architecture", with("LlamaForCausalLM", "EvilForCausalLM"), no, "EvilForCausalLM"},
          {8, "10,000 architectures", with("\"LlamaForCausalLM\"", architectures + "\"LlamaForCausalLM\""),
           bad, "architectures"},
          {8, "architecture of 1 MB", with("LlamaForCausalLM", std::string(1'000'000, 'x')), no,
           "architectures"},
          {8, "architecture with a line feed", with("LlamaForCausalLM", "Llama\\nForCausalLM"), no,
           "Llama\\nFor"},
          {9, "unknown type", rope(R"({"type": "evil", "factor": 2.0})"), no, "rope_scaling.type"},
          {9, "factor 0", rope(R"({"type": "linear", "factor": 0})"), bad, "rope_scaling.factor"},
          {9, "negative factor", rope(R"({"type": "linear", "factor": -2.0})"), bad, "rope_scaling.factor"},
          {9, "list of factors", rope(R"({"type": "linear", "factor": [2.0, 2.0]})"), bad,
           "rope_scaling.factor"},
          {9, "factor that makes frequencies infinite",
           rope(R"({"type": "linear", "factor": 2e-38, "rope_theta": 2e-38})"), bad, "rope_"},
          {9, "base that float32 cannot hold", with("\"rope_theta\": 10000.0", "\"rope_theta\": 1e39"), bad,
           "rope_theta"},
          {9, "base that is nearly 0", with("\"rope_theta\": 10000.0", "\"rope_theta\": 1e-39"), bad,
           "rope_theta"},
          {10, "quantized", adding(R"("quantization_config": {"quant_method": "gptq", "bits": 4})"), no,
           "quantization_config"},
          {10, "epsilon that float32 cannot hold", with("\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 1e-60"),
           bad, "rms_norm_eps"},
          {11, "name that leads elsewhere", adding(R"("_name_or_path": "../../../etc/passwd")"), "", ""},
          {11, "name of a metadata service",
           adding(R"("_name_or_path": "http://169.254.169.254/latest/meta-data")"), "", ""},
          {12, "10^12 positions",
           with("\"max_position_embeddings\": 128", "\"max_position_embeddings\": 1000000000000"), "", ""},
          {12, "1,000,000 end tokens", with("\"eos_token_id\": 2", "\"eos_token_id\": [" + ids + "2]"), "",
           ""},
          {13, "model_type of another family",
           with("\"model_type\": \"llama\"", "\"model_type\": \"mistral\""), bad,
           "model_type is \"mistral\"; llama "},
          {13, "model_type of no family", with("\"model_type\": \"llama\"", "\"model_type\": \"evil\""), bad,
           "model_type"},
          {13, "model_type that is a number", with("\"model_type\": \"llama\"", "\"model_type\": 7"), bad,
           "model_type"},
          {13, "no model_type", with("\"model_type\": \"llama\",", ""), "", ""},
      });
}

TEST_CASE("hostile config.json 1: a file of 200 MB is not read") {
  const TemporaryFolder folder;
  folder.write(kConfig, "{}");
  std::filesystem::resize_file(folder.path(kConfig), 200'000'000);
  std::string message;
  const std::string code = code_of([&] { read_model_spec(folder.path()); }, &message);
  check_refusal(code, message, "FILE_UNREADABLE", "has 200000000 bytes; at most 16777216 are read");
}

TEST_CASE(
    "hostile config.json 10: a weight type that is not implemented is refused where it stands, in the "
    "tensors") {
  const TemporaryFolder folder;
  folder.copy_from(kLlamaBase);
  const std::string whole = read_file(kLlamaBase + "/model.safetensors");
  folder.write("model.safetensors", with_header(whole, [](nlohmann::json& header) {
                 auto& norm = header["model.norm.weight"];
                 norm["dtype"] = "F8_E4M3";
                 norm["shape"] = {128};  // the same bytes
               }));
  std::string message;
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_WEIGHTS");
  CHECK(message.find("model.norm.weight") != std::string::npos);
}

TEST_CASE("hostile config.json 12: a head beside the embedding that it is tied to must be the same") {
  const TemporaryFolder folder;
  const std::string source = kGolden + "llama-rope3-untied-bf16";
  folder.copy_from(source);
  folder.write(kConfig, replaced(read_file(source + "/config.json"), "\"tie_word_embeddings\": false",
                                 "\"tie_word_embeddings\": true"));
  std::string message;
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("tie_word_embeddings") != std::string::npos);
}

TEST_CASE("hostile config.json 14: numbers of experts") {
  const std::string text =
      replaced(replaced(read_file(kQwenBase + "/config.json"), "Qwen3ForCausalLM", "Qwen3MoeForCausalLM"),
               "\"model_type\": \"qwen3\"", "\"model_type\": \"qwen3_moe\", SETTINGS");
  const std::vector<Text> rows = {
      {14, "more for a token than there are", "\"num_experts\": 4, \"num_experts_per_tok\": 5",
       "INVALID_CONFIG", "num_experts_per_tok"},
      {14, "the class's 8 for a token where there are 4", "\"num_experts\": 4", "INVALID_CONFIG",
       "num_experts_per_tok"},
      {14, "65,536 in each of many layers", "\"num_experts\": 65536, \"num_hidden_layers\": 4096",
       "INVALID_CONFIG", "num_experts"},
      {14, "more dense layers than layers", "\"num_experts\": 8, \"mlp_only_layers\": [0, 0, 0, 0, 0]",
       "INVALID_CONFIG", "mlp_only_layers"},
  };
  for (const Text& row : rows) {
    CAPTURE(row.what);
    std::string changed = replaced(text, "SETTINGS", row.text);
    if (row.text.find("num_hidden_layers") != std::string::npos)
      changed = replaced(changed, "\"num_hidden_layers\": 4,", "");
    std::string message;
    check_refusal(code_of([&] { parse_model_spec(changed, "config.json"); }, &message), message, row.code,
                  row.named);
  }
}

TEST_CASE("hostile config.json 13: every family names its model_type, its text half too") {
  for (const Family* family : families()) {
    CAPTURE(family->name);
    CHECK_FALSE(family->model_types.empty());
  }
  const TemporaryFolder folder;
  std::string message;
  const auto multimodal = [&](const std::string& outer, const std::string& inner) {
    auto text = nlohmann::json::parse(read_file(kGemmaBase + "/config.json"));
    text["model_type"] = inner;
    const nlohmann::json whole = {
        {"architectures", {"Gemma3ForConditionalGeneration"}}, {"model_type", outer}, {"text_config", text}};
    return code_of([&] { parse_model_spec(whole.dump(), "x"); }, &message);
  };
  CHECK(multimodal("gemma3", "gemma3_text") == "");
  CHECK(multimodal("gemma3_text", "gemma3_text") == "INVALID_CONFIG");
  CHECK(message.find("model_type is \"gemma3_text\"; gemma3 ") != std::string::npos);
  CHECK(multimodal("gemma3", "gemma2") == "INVALID_CONFIG");
  CHECK(message.find("text_config.model_type") != std::string::npos);
}

// ---- adapter_config.json: 1 rank, 2 scale, 3 expressions, 4 targets, 5 names of the base, 6 layers, 7 other
// kinds, 8 other modules, 9 shapes, 10 pickles, 11 code, 12 tensors ---- 1, 2 and 7 are in adapter_test.

TEST_CASE("hostile adapter_config.json") {
  const std::string text = read_file(kLora + "/" + kAdapterConfig);
  const char *bad = "INVALID_ADAPTER", *no = "MODEL_UNSUPPORTED";
  const auto with = [&](const std::string& from, const std::string& to) { return replaced(text, from, to); };
  const size_t begin = text.find("\"target_modules\""), end = text.find(']', begin) + 1;
  const auto targets = [&](const std::string& value) {
    return text.substr(0, begin) + "\"target_modules\": " + value + text.substr(end);
  };
  std::string patterns;
  for (int i = 0; i < 4096; ++i) patterns += "\"m" + std::to_string(i) + "\": 8, ";
  check_adapters({
      {2, "alpha that float32 cannot hold", with("\"lora_alpha\": 16", "\"lora_alpha\": 1e-60"), bad,
       "lora_alpha"},
      {2, "alpha of one module that is too large",
       with("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 1e38}"), bad, "alpha_pattern.q_proj"},
      {3, "expression that backtracks", targets("\"(a+)+$\""), bad, "target_modules"},
      {3, "expression that backtracks where it nearly matches", targets("\"((m|mo|model|[.a-z0-9_])+)+!\""),
       bad, "target_modules"},
      {3, "4,097 patterns", with("\"rank_pattern\": {}", "\"rank_pattern\": {" + patterns + "\"a\": 8}"), bad,
       "rank_pattern"},
      {3, "pattern that backtracks", with("\"rank_pattern\": {}", "\"rank_pattern\": {\"(a+)+$\": 4}"), "",
       ""},
      {3, "pattern that cannot be read, with a line feed",
       with("\"rank_pattern\": {}", "\"rank_pattern\": {\"(?=a\\nb)\": 8}"), no, "rank_pattern.(?=a\\nb)"},
      {4, "no target is in the file", targets(R"(["evil"])"), bad, "target_modules"},
      {4, "no target at all", targets("[]"), bad, "target_modules"},
      {4, "1,000,000 targets", targets("[" + repeated("\"q_proj\", ", 1'000'000) + "\"k_proj\"]"), bad,
       "target_modules"},
      {4, "all", targets("\"all-linear\""), "", ""},
      {5, "base that leads elsewhere",
       with("\"base_model_name_or_path\": \"", "\"base_model_name_or_path\": \"../../../etc/passwd"), "", ""},
      {5, "base of a metadata service",
       with("\"base_model_name_or_path\": \"", "\"base_model_name_or_path\": \"http://169.254.169.254/"), "",
       ""},
      {6, "layer that is not there", with("\"layers_to_transform\": null", "\"layers_to_transform\": [9]"),
       bad, "layers_to_transform"},
      {6, "layer of 2^64",
       with("\"layers_to_transform\": null", "\"layers_to_transform\": [18446744073709551615]"), bad,
       "layers_to_transform"},
      {6, "1,000,000 layers",
       with("\"layers_to_transform\": null", "\"layers_to_transform\": [" + repeated("0, ", 999'999) + "0]"),
       bad, "layers_to_transform"},
      {8, "a module of its own with a line feed, of which the file has nothing",
       with("\"modules_to_save\": null", "\"modules_to_save\": [\"a\\nb\"]"), bad, "a\\nb"},
      {11, "custom class",
       with("\"auto_mapping\": null",
            R"("auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"})"),
       "", ""},
      {11, "revision", with("\"revision\": null", "\"revision\": \"../evil\""), "", ""},
  });
}

TEST_CASE("hostile adapter 8: an embedding for another vocabulary") {
  const TemporaryFolder folder;
  folder.write(
      kAdapterConfig,
      R"({"peft_type": "LORA", "r": 8, "lora_alpha": 1, "target_modules": [], "modules_to_save": ["embed_tokens"]})");
  folder.write(
      kAdapterWeights,
      safetensors_bytes(
          "{" + entry("base_model.model.model.embed_tokens.weight", "BF16", "[330,64]", "[0,42240]") + "}",
          std::string(42240, '1')));
  std::string message;
  const std::string code = code_of([&] { Model model(kQwenBase, folder.path()); }, &message);
  check_refusal(code, message, "INVALID_ADAPTER", "model.embed_tokens.weight has shape [330, 64]");
}

TEST_CASE("hostile adapter 9: tensors that are transposed, of another rank, or alone") {
  const std::string whole = read_file(kLora + "/" + kAdapterWeights);
  const std::string stem = "base_model.model.model.layers.0.self_attn.k_proj.lora_";
  const auto refused = [&](const std::string& named, const auto& change) {
    const TemporaryFolder folder;
    folder.copy_from(kLora);
    folder.write(kAdapterWeights, with_header(whole, change));
    std::string message;
    const std::string code = code_of([&] { Model model(kQwenBase, folder.path()); }, &message);
    check_refusal(code, message, "INVALID_ADAPTER", named);
  };
  refused("k_proj.lora_A.weight should have shape [8, 64], found [64, 8]", [&](nlohmann::json& header) {
    header[stem + "A.weight"]["shape"] = {64, 8};
  });
  refused("k_proj.lora_A.weight should have shape [8, 64], found [512]",
          [&](nlohmann::json& header) { header[stem + "A.weight"]["shape"] = {512}; });

  const TemporaryFolder folder;
  folder.write(
      kAdapterConfig,
      R"({"peft_type": "LORA", "r": 8, "lora_alpha": 1, "target_modules": ["k_proj"], "layers_to_transform": [0]})");
  std::string message;
  folder.write(kAdapterWeights,
               safetensors_bytes("{" + entry(stem + "A.weight", "BF16", "[8,64]", "[0,1024]") + "}",
                                 std::string(1024, '1')));
  const std::string code = code_of([&] { Model model(kQwenBase, folder.path()); }, &message);
  check_refusal(code, message, "INVALID_ADAPTER", "lora_A without lora_B");
}

TEST_CASE("hostile adapter 10: a pickle beside the safetensors file is not opened") {
  const TemporaryFolder folder;
  folder.copy_from(kLora);
  folder.write("adapter_model.bin", "pickle");
  CHECK(code_of([&] { Model model(kQwenBase, folder.path()); }) == "");
  folder.copy_from(kQwenBase);
  folder.write("pytorch_model.bin", "pickle");
  CHECK(code_of([&] { Model model(folder.path(), ""); }) == "");
}

TEST_CASE("hostile adapter 12: two names of one module collide") {
  // A multimodal checkpoint has two names for its text half; adapters of both are read.
  const TemporaryFolder base, adapter;
  base.write("model.safetensors",
             with_header(read_file(kGemmaBase + "/model.safetensors"), [](nlohmann::json& header) {
               nlohmann::json renamed;
               for (const auto& [tensor, value] : header.items())
                 renamed[tensor.starts_with("model.") ? "model.language_model." + tensor.substr(6) : tensor] =
                     value;
               header = renamed;
             }));
  const nlohmann::json config = {
      {"architectures", {"Gemma3ForConditionalGeneration"}},
      {"text_config", nlohmann::json::parse(read_file(kGemmaBase + "/config.json"))}};
  base.write(kConfig, config.dump());

  const auto matrices = [](const std::string& prefix, int64_t first) {
    const auto matrix = [&](const std::string& half, const std::string& shape, int64_t begin, int64_t bytes) {
      return entry("base_model.model." + prefix + "layers.0.self_attn.k_proj.lora_" + half + ".weight",
                   "BF16", shape, "[" + std::to_string(begin) + "," + std::to_string(begin + bytes) + "]");
    };
    return matrix("A", "[1,64]", first, 128) + "," + matrix("B", "[48,1]", first + 128, 96);
  };
  const std::string recent = matrices("model.language_model.", 0),
                    old = matrices("language_model.model.", 224);
  adapter.write(
      kAdapterConfig,
      R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["k_proj"], "layers_to_transform": [0]})");
  const auto open = [&](const std::string& entries, size_t bytes, std::string* message) {
    adapter.write(kAdapterWeights, safetensors_bytes("{" + entries + "}", repeated("\x80\x3f", bytes / 2)));
    return code_of([&] { Model model(base.path(), adapter.path()); }, message);
  };
  std::string message;
  CHECK(open(recent, 224, &message) == "");
  CAPTURE(message);
  CHECK(open(recent + "," + old, 448, &message) == "INVALID_ADAPTER");
  CHECK(message.find("layers.0.self_attn.k_proj") != std::string::npos);
}

// ---- files that end too early ----

TEST_CASE("a model's and an adapter's files cut at every byte are refused by name, never read in part") {
  // The adapter is a small one: each cut of it opens the base again.
  const std::string a = "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight",
                    b = "base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight";
  const std::string weights = safetensors_bytes(
      "{" + entry(a, "BF16", "[1,64]", "[0,128]") + "," + entry(b, "BF16", "[48,1]", "[128,224]") + "}",
      repeated("\x80\x3f", 112));
  const std::string config =
      R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["k_proj"], "layers_to_transform": [0]})";
  const TemporaryFolder adapter, model;
  adapter.write(kAdapterConfig, config);
  adapter.write(kAdapterWeights, weights);
  model.copy_from(kQwenBase);
  const auto open = [&] { return code_of([&] { Model opened(model.path(), adapter.path()); }); };
  REQUIRE(open() == "");

  const auto cut_everywhere = [&](const TemporaryFolder& folder, const std::string& file,
                                  const std::string& whole, const std::string& code) {
    int64_t refused = 0;
    for (size_t length = 0; length < whole.size(); ++length) {
      folder.write(file, whole.substr(0, length));
      refused += open() == code;
    }
    folder.write(file, whole);
    return refused;
  };
  const auto bytes = [](const std::string& text) { return static_cast<int64_t>(text.size()); };
  const std::string text = read_file(kQwenBase + "/config.json");
  CHECK(cut_everywhere(adapter, kAdapterWeights, weights, "INVALID_SAFETENSORS") == bytes(weights));
  CHECK(cut_everywhere(adapter, kAdapterConfig, config, "INVALID_ADAPTER") == bytes(config));
  CHECK(cut_everywhere(model, kConfig, text, "INVALID_CONFIG") == text.find_last_of('}') + 1);
  // A cut behind the last brace takes only white space.
}
