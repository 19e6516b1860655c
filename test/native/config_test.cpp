// config.json: each hostile or unsupported value is refused by name.
#include "models/family.h"
#include "models/model.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kQwen = std::string(FIXTURES) + "/golden/qwen3-headdim-bf16";
const std::string kLlamaRecent = std::string(FIXTURES) + "/golden/llama-rope3-untied-bf16";
const std::string kLlamaV4 = std::string(FIXTURES) + "/golden/llama-tied-f16-v4config";

struct Change {
  std::string from, to, code, names;
};

void check(const std::string& source, const std::vector<Change>& changes) {
  const TemporaryFolder folder;
  const std::string text = read_file(source + "/config.json");
  for (const Change& change : changes) {
    CAPTURE(change.from);
    CAPTURE(change.to);
    folder.write("config.json", replaced(text, change.from, change.to));
    std::string message;
    CHECK(code_of([&] { read_model_spec(folder.path()); }, &message) == change.code);
    CAPTURE(message);
    CHECK(message.find(change.names) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
}

}  // namespace

TEST_CASE("numbers that are missing, of the wrong kind or out of range") {
  const std::string size = "\"hidden_size\": 64", bad = "INVALID_CONFIG";
  check(kQwen,
        {
            {size, "\"hidden_size\": 0", bad, "hidden_size"},
            {size, "\"hidden_size\": -1", bad, "hidden_size"},
            {size, "\"hidden_size\": 4096.5", bad, "hidden_size"},
            {size, "\"hidden_size\": \"4096\"", bad, "hidden_size"},
            {size, "\"hidden_size\": 2147483648", bad, "hidden_size"},
            {size, "\"hidden_size\": 1e308", bad, "hidden_size"},
            {size, "\"hidden_size\": 18446744073709551615", bad, "hidden_size"},
            {size, "\"hidden_size\": null", bad, "hidden_size"},
            {size, "\"hidden_sized\": 64", bad, "hidden_size"},
            {size, "\"hidden_size\": NaN", bad, "not valid JSON"},
            {size, "\"hidden_size\": 64, \"hidden_size\": 128", bad, "hidden_size"},
            {"\"num_hidden_layers\": 4", "\"num_hidden_layers\": 1000000000", bad, "num_hidden_layers"},
            {"\"vocab_size\": 331", "\"vocab_size\": 1099511627776", bad, "vocab_size"},
            {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", bad, "num_key_value_heads"},
            {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 8", bad, "num_key_value_heads"},
            {"\"head_dim\": 24", "\"head_dim\": 23", bad, "head_dim"},
            {"\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": -1", bad, "rms_norm_eps"},
            {"\"rope_theta\": 1000000.0", "\"rope_theta\": 0", bad, "rope_parameters.rope_theta"},
            {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0", bad, "tie_word_embeddings"},
            {"\"full_attention\",", "", bad, "layer_types"},
            {"\"full_attention\",", "\"sliding_attention\",", bad, "layer_types"},
        });
}

TEST_CASE("settings that change the maths and are not implemented are refused, never ignored") {
  const std::string anchor = "\"hidden_size\": 64", no = "MODEL_UNSUPPORTED";
  std::vector<Change> changes = {
      {"Qwen3ForCausalLM", "Qwen3NextForCausalLM", no, "Qwen3NextForCausalLM"},
      {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", no, "hidden_act"},
      {"\"full_attention\",", "\"linear_attention\",", no, "layer_types"},
      {"\"rope_type\": \"default\"", "\"rope_type\": \"proportional\"", no, "rope_type"},
      {"\"rope_type\": \"default\"", "\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5", no,
       "partial_rotary_factor"},
      {"\"rope_type\": \"default\"", "\"rope_type\": \"default\", \"mrope_section\": [1]", no,
       "mrope_section"},
  };
  for (const std::string key : {"quantization_config", "final_logit_softcapping", "residual_multiplier",
                                "num_experts", "clip_qkv", "query_pre_attn_scalar"}) {
    changes.push_back(
        {anchor, anchor + ", \"" + key + "\": " + (key == "quantization_config" ? R"({"bits": 4})" : "2"), no,
         key});
  }
  check(kQwen, changes);
  check(kLlamaV4,
        {
            {"\"rope_scaling\": null", R"("rope_scaling": {"type": "mrope", "factor": 2.0})", no, "type"},
            {"\"rope_scaling\": null", R"("rope_scaling": {"type": "linear", "factor": 0})", "INVALID_CONFIG",
             "rope_scaling.factor"},
            {"\"rope_scaling\": null", R"("rope_scaling": {"type": "linear", "factor": [2]})",
             "INVALID_CONFIG", "rope_scaling.factor"},
            {"\"rope_scaling\": null", R"("rope_scaling": {"rope_type": "llama3", "factor": 8})",
             "INVALID_CONFIG", "low_freq_factor"},
            {"\"rope_scaling\": null", "\"sliding_window\": 64", no, "sliding_window"},
            {"\"rope_scaling\": null", "\"rope_parameters\": {\"rope_theta\": 7.0}", "INVALID_CONFIG",
             "rope_theta"},
        });
}

TEST_CASE("a file that says two things about the rotation is refused, one that says it inside is read") {
  const std::string text = read_file(kLlamaRecent + "/config.json");
  const TemporaryFolder folder;
  std::string message;
  folder.write("config.json",
               replaced(text, "\"rope_parameters\"",
                        R"("rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_parameters")"));
  CHECK(code_of([&] { read_model_spec(folder.path()); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("rope_scaling") != std::string::npos);

  const std::string old = read_file(kLlamaV4 + "/config.json");
  const std::string outside = "\"rope_theta\": 10000.0", none = "\"rope_scaling\": null";
  const std::string inside = R"("rope_scaling": {"rope_type": "default", "rope_theta": 500000.0})";
  folder.write("config.json", replaced(replaced(old, none, inside), outside, "\"use_cache\": false"));
  CHECK(code_of([&] { read_model_spec(folder.path()); }) == "INVALID_CONFIG");  // use_cache twice
  folder.write("config.json", replaced(replaced(old, none, inside), outside, "\"return_dict\": true"));
  CHECK(read_model_spec(folder.path()).rotary[0].frequencies[1] < 0.2f);  // 500000^(-1/8); 10000^(-1/8) is 0.32
  folder.write("config.json", replaced(old, none, inside));
  CHECK(code_of([&] { read_model_spec(folder.path()); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("rope_theta") != std::string::npos);
}

TEST_CASE("a switched-off setting is no setting, and an unknown key is reported") {
  const TemporaryFolder folder;
  folder.write(
      "config.json",
      replaced(
          read_file(kQwen + "/config.json"), "\"hidden_size\": 64",
          R"("hidden_size": 64, "num_experts": 0, "quantization_config": null, "use_qk_norm": false, "invented": 3, "auto_map": {"AutoModel": "evil.py"})"));
  const ModelSpec spec = read_model_spec(folder.path());
  CHECK(spec.unknown_config_keys == std::vector<std::string>{"invented"});
  CHECK(spec.qk_norm == QkNorm::head);
  CHECK(spec.head_dim == 24);
}

TEST_CASE("both spellings of a config say the same") {
  const ModelSpec old = read_model_spec(kLlamaV4);
  CHECK(old.head_dim == 16);
  REQUIRE(old.rotary.size() == 1);
  CHECK(old.rotary[0].frequencies.size() == 8);
  const ModelSpec recent = read_model_spec(kLlamaRecent);
  const TemporaryFolder folder;
  folder.write(
      "config.json",
      R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2,
    "num_hidden_layers": 4, "vocab_size": 331, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "torch_dtype": "bfloat16", "hidden_act": "silu",
    "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 16, "rope_type": "llama3"}})");
  CHECK(read_model_spec(folder.path()).rotary[0].frequencies == recent.rotary[0].frequencies);
}

TEST_CASE("Qwen3 windows follow layer_types, or max_window_layers, once switched on") {
  const TemporaryFolder folder;
  const std::string text = replaced(replaced(read_file(kQwen + "/config.json"),
                                             "\"use_sliding_window\": false", "\"use_sliding_window\": true"),
                                    "\"sliding_window\": null", "\"sliding_window\": 5");
  folder.write("config.json", replaced(text, "\"full_attention\",", "\"sliding_attention\","));
  const ModelSpec listed = read_model_spec(folder.path());
  CHECK(listed.blocks[0].window == 5);
  CHECK(listed.blocks[1].window == 0);
}

TEST_CASE("files that are no JSON object") {
  const TemporaryFolder folder;
  const std::string deep = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("\xef\xbb\xbf{}"),
        std::string("{\0}", 3), deep, std::string("{}"), std::string(R"({"architectures": []})")}) {
    folder.write("config.json", text);
    CHECK(code_of([&] { read_model_spec(folder.path()); }) == "INVALID_CONFIG");
  }
  folder.write("config.json", std::string(17 << 20, ' '));
  CHECK(code_of([&] { read_model_spec(folder.path()); }) == "FILE_UNREADABLE");
}

TEST_CASE("one layer more or less than the tensors") {
  const TemporaryFolder folder;
  folder.copy_from(kLlamaRecent);
  const std::string text = read_file(kLlamaRecent + "/config.json");
  std::string message;
  folder.write("config.json", replaced(text, "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5"));
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("num_hidden_layers is 5; the weights have 4 layers") != std::string::npos);
  folder.write("config.json", replaced(text, "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 3"));
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("num_hidden_layers is 3; the weights have 4 layers") != std::string::npos);
  folder.write("config.json", replaced(text, "\"vocab_size\": 331", "\"vocab_size\": 330"));
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("vocab_size is 330; the weights have 331 tokens") != std::string::npos);
  folder.write("config.json",
               replaced(text, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"));
  CHECK(code_of([&] { Model model(folder.path(), ""); }, &message) == "INVALID_CONFIG");
  CHECK(message.find("lm_head.weight") != std::string::npos);
}

TEST_CASE("Gemma 2 without its caps has the caps of its class, and null means none") {
  const std::string source = std::string(FIXTURES) + "/golden/gemma2-softcap-bf16-v4config";
  const TemporaryFolder folder;
  const std::string text = read_file(source + "/config.json");
  folder.write("config.json", replaced(text, "\"attn_logit_softcapping\": 5.0,", ""));
  CHECK(read_model_spec(folder.path()).attention_softcap == 50);
  folder.write("config.json",
               replaced(text, "\"attn_logit_softcapping\": 5.0", "\"attn_logit_softcapping\": null"));
  CHECK(read_model_spec(folder.path()).attention_softcap == 0);
  const ModelSpec spec = read_model_spec(source);
  CHECK(spec.blocks[0].window == 4);
  CHECK(spec.blocks[1].window == 0);
  CHECK(spec.embedding_scale == 8);
}

TEST_CASE("Gemma 3 reads both spellings of its two rotary tables and of its windows") {
  const std::string source = std::string(FIXTURES) + "/golden/gemma3-text-bf16";
  const ModelSpec recent = read_model_spec(source);
  REQUIRE(recent.rotary.size() == 2);
  const TemporaryFolder folder;
  folder.write(
      "config.json",
      R"({"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 160,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24, "num_hidden_layers": 7, "vocab_size": 331, "query_pre_attn_scalar": 20,
    "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": null, "sliding_window": 4, "sliding_window_pattern": 6,
    "hidden_activation": "gelu_pytorch_tanh", "torch_dtype": "bfloat16", "attn_logit_softcapping": null, "final_logit_softcapping": null})");
  const ModelSpec old = read_model_spec(folder.path());
  REQUIRE(old.rotary.size() == 2);
  for (size_t i = 0; i < 2; ++i) CHECK(old.rotary[i].frequencies == recent.rotary[i].frequencies);
  CHECK(old.tied_head);
  for (size_t i = 0; i < 7; ++i) {
    CHECK(old.blocks[i].window == recent.blocks[i].window);
    CHECK(old.blocks[i].rotary == (i == 5 ? 0 : 1));
  }
}

TEST_CASE("a Mistral window: left out it is the class's, null is none") {
  const std::string text = read_file(std::string(FIXTURES) + "/golden/mistral-bf16/config.json");
  const TemporaryFolder folder;
  const auto window = [&](const std::string& config) {
    folder.write("config.json", config);
    return read_model_spec(folder.path()).blocks[0].window;
  };
  CHECK(window(text) == 0);
  CHECK(window(replaced(text, "\"sliding_window\": null", "\"sliding_window\": 7")) == 7);
  CHECK(window(replaced(text, ",\n  \"sliding_window\": null", "")) == 4096);
}
