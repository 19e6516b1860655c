#include "models/adapter_config.h"

#include <algorithm>
#include <cctype>

#include "format/config_reader.h"
#include "format/strict_json.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxRank = 1 << 16;
constexpr int64_t kMaxLayers = 4096;

/// Fields of a LoRA config that say something about training or bookkeeping only.
const std::vector<std::string_view> kHarmless = {
    "auto_mapping", "ensure_weight_tying", "inference_mode", "lora_dropout",   "megatron_core",
    "peft_version", "qalora_group_size",   "revision",       "runtime_config", "task_type"};

/// Ways to begin training that leave the base weights alone. The others (pissa, olora, loftq, corda, …)
/// change the base when PEFT loads the adapter.
const std::vector<std::string_view> kPlainStarts = {"gaussian", "eva", "orthogonal"};

bool is_off(const nlohmann::json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

/// rank_pattern and alpha_pattern: module names, each with its number. PEFT reads the names as expressions;
/// one that is more than a name is refused, since what it matches decides the numbers.
template <typename Read>
void read_pattern(ConfigReader& config, const std::string& key, const Read& read) {
  auto pattern = config.object(key);
  if (!pattern) return;
  for (const std::string& module : pattern->unread()) {
    const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; };
    if (!std::all_of(module.begin(), module.end(), plain)) {
      pattern->unsupported(module, "plain module names");
    }
    read(*pattern, module);
  }
}

}  // namespace

AdapterConfig parse_adapter_config(std::string_view text, const std::string& where) {
  ConfigReader config(parse_strict_json(text, Code::invalid_adapter, where), where, Code::invalid_adapter);
  const std::string kind = config.string("peft_type");
  if (kind != "LORA") config.unsupported("peft_type", "LORA");
  AdapterConfig result;
  result.rank = config.integer("r", 1, kMaxRank);
  result.alpha = config.real("lora_alpha", 0);
  if (result.alpha > 1e6) config.fail("lora_alpha", "a number of at most 1e6");
  result.rank_stabilised = config.boolean_or("use_rslora", false);
  if (config.raw("target_modules").is_string()) {
    result.any_target = true;
  } else {
    result.targets = config.strings("target_modules");
    if (result.targets.empty()) config.fail("target_modules", "at least one module name");
  }
  read_pattern(config, "rank_pattern", [&](ConfigReader& pattern, const std::string& module) {
    result.ranks.emplace_back(module, pattern.integer(module, 1, kMaxRank));
  });
  read_pattern(config, "alpha_pattern", [&](ConfigReader& pattern, const std::string& module) {
    result.alphas.emplace_back(module, pattern.real(module, 0));
  });
  const auto& only = config.raw("layers_to_transform");
  if (only.is_array()) {
    for (const auto& layer : only) {
      const bool ok = layer.is_number_integer() && layer >= 0 && layer < kMaxLayers;
      if (!ok) config.fail("layers_to_transform", "a list of layer numbers");
      result.layers.push_back(layer.get<int64_t>());
    }
    if (result.layers.empty()) config.fail("layers_to_transform", "at least one layer");
  } else if (!only.is_null()) {
    result.layers = {config.integer("layers_to_transform", 0, kMaxLayers)};
  }
  // Says where in a module's path the layer's number stands; ours always stands in "layers.N.".
  if (config.has("layers_pattern") && config.raw("layers_pattern") != "layers") {
    const auto& pattern = config.raw("layers_pattern");
    if (!(pattern.is_array() && pattern.size() == 1 && pattern[0] == "layers")) {
      config.unsupported("layers_pattern", "\"layers\"");
    }
  }
  if (config.string_or("bias", "none") != "none") config.unsupported("bias", "\"none\"");

  const auto& start = config.raw("init_lora_weights");
  const bool plain =
      start.is_null() || start.is_boolean() ||
      (start.is_string() && std::find(kPlainStarts.begin(), kPlainStarts.end(),
                                      start.get_ref<const std::string&>()) != kPlainStarts.end());
  if (!plain) config.unsupported("init_lora_weights", "true, false, gaussian, eva, orthogonal");
  result.base_name = config.string_or("base_model_name_or_path", "");

  config.ignore(kHarmless);
  for (const std::string& key : config.unread()) {
    // Whatever is left is a variant of LoRA (DoRA, layer replication, patterns, …): on means other maths.
    if (!is_off(config.raw(key))) config.unsupported(key, "leaving it out, or switching it off");
  }
  return result;
}

}  // namespace deltascope
