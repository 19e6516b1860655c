#include "models/adapter_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "format/config_reader.h"
#include "format/strict_json.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxRank = 1 << 16;
constexpr int64_t kMaxLayers = 4096;
constexpr size_t kMaxTargets = size_t{1} << 15;  // 7 modules in each of 4,096 layers, and some more
constexpr size_t kMaxReplaced = 4096, kMaxPatterns = 4096;

/// Fields of a LoRA config that say something about training or bookkeeping only. fan_in_fan_out is about how merged
/// weights are stored.
const std::vector<std::string_view> kHarmless = {
    "auto_mapping", "fan_in_fan_out", "inference_mode", "lora_dropout",   "megatron_core",
    "qalora_group_size", "revision",     "runtime_config", "task_type"};

/// Ways to begin training that leave the base weights alone. The others (pissa, olora, loftq, corda, …)
/// change the base when PEFT loads the adapter.
const std::vector<std::string_view> kPlainStarts = {"gaussian", "eva", "orthogonal"};

bool is_off(const nlohmann::json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

double read_alpha(ConfigReader& config, const std::string& key) {
  const double alpha = config.real(key, 0);
  if (alpha > 1e6) config.fail(key, "a number of at most 1e6");
  return alpha;
}

std::set<std::string, std::less<>> read_names(ConfigReader& config, const std::string& key, size_t most) {
  const auto names = config.strings(key);
  if (names.size() > most) config.fail(key, "at most " + std::to_string(most) + " module names");
  return {names.begin(), names.end()};
}

/// A list of names, or one expression. One that RE2 does not know is no check, but no error either: what is adapted
/// stands in the file. unknown_is_any: whether it then stands for all modules or for none.
ModuleChoice read_choice(ConfigReader& config, const std::string& key, bool unknown_is_any) {
  ModuleChoice choice;
  const auto& value = config.raw(key);
  if (value.is_null()) return choice;
  if (!value.is_string()) {
    choice.names = read_names(config, key, kMaxTargets);
    return choice;
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text == "all-linear") {  // of targets only; as an exclusion it is an expression that matches nothing
    choice.any = unknown_is_any;
    return choice;
  }
  ModulePattern pattern(text);
  if (pattern.ok()) {
    choice.expressions.push_back(std::move(pattern));
  } else {
    choice.any = unknown_is_any;
  }
  return choice;
}

/// rank_pattern and alpha_pattern: expressions for a module's path or its end after a dot, each with its number.
template <typename T, typename Read>
std::vector<std::pair<ModulePattern, T>> read_pattern(ConfigReader& config, std::string_view text,
                                                      const std::string& key, const Read& read) {
  std::vector<std::pair<ModulePattern, T>> numbers;
  auto pattern = config.object(key);
  if (!pattern) return numbers;
  const auto expressions = keys_in_order(text, key);
  if (expressions.size() > kMaxPatterns) config.fail(key, "at most " + std::to_string(kMaxPatterns) + " expressions");
  for (const std::string& expression : expressions) {
    ModulePattern compiled("(.*\\.)?(" + expression + ")");
    if (!compiled.ok()) {
      pattern->unsupported(expression, "expressions that RE2 understands (no lookaround, no back references)");
    }
    numbers.emplace_back(std::move(compiled), read(*pattern, expression));
  }
  return numbers;
}

std::vector<int64_t> read_layers(ConfigReader& config) {
  const auto& only = config.raw("layers_to_transform");
  if (only.is_null()) return {};
  if (!only.is_array()) return {config.integer("layers_to_transform", 0, kMaxLayers)};
  std::vector<int64_t> layers;
  for (const auto& layer : only) {
    const bool ok = layer.is_number_integer() && layer >= 0 && layer < kMaxLayers;
    if (!ok) config.fail("layers_to_transform", "a list of layer numbers");
    layers.push_back(layer.get<int64_t>());
  }
  if (static_cast<int64_t>(layers.size()) > kMaxLayers) {
    config.fail("layers_to_transform", "at most " + std::to_string(kMaxLayers) + " layers");
  }
  std::sort(layers.begin(), layers.end());
  return layers;
}

/// "0.19.1" → (0, 19).
std::optional<std::pair<int64_t, int64_t>> read_version(ConfigReader& config) {
  const auto& value = config.raw("peft_version");
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  const char *at = text.data(), *end = at + text.size();
  std::pair<int64_t, int64_t> version;
  const auto major = std::from_chars(at, end, version.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  if (std::from_chars(major.ptr + 1, end, version.second).ec != std::errc()) return std::nullopt;
  return version;
}

/// Says where in a module's path the layer's number stands; ours always stands behind the name of the blocks.
void check_layers_pattern(ConfigReader& config) {
  const auto known = [](const nlohmann::json& name) {
    return is_string(name, "layers") || is_string(name, "h") || is_string(name, "");
  };
  const auto& pattern = config.raw("layers_pattern");
  const bool ok = pattern.is_null() || known(pattern) ||
                  (pattern.is_array() && std::all_of(pattern.begin(), pattern.end(), known));
  if (!ok) config.unsupported("layers_pattern", "\"layers\", \"h\"");
}

template <typename T>
const T* first_match(const std::vector<std::pair<ModulePattern, T>>& patterns, const std::string& path) {
  for (const auto& [pattern, value] : patterns) {
    if (pattern.matches(path)) return &value;
  }
  return nullptr;
}

}  // namespace

bool ModuleChoice::includes(const std::string& path) const {
  if (any || names.contains(path)) return true;
  for (size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1)) {
    if (names.contains(std::string_view(path).substr(dot + 1))) return true;
  }
  return std::any_of(expressions.begin(), expressions.end(),
                     [&](const ModulePattern& pattern) { return pattern.matches(path); });
}

bool AdapterConfig::adapts(const std::string& path, int64_t layer) const {
  if (!targets.includes(path) || excluded.includes(path)) return false;
  // PEFT applies layers_to_transform to a list of targets only.
  const bool chooses_layers = !layers.empty() && targets.expressions.empty();
  return !chooses_layers || std::binary_search(layers.begin(), layers.end(), layer);
}

int64_t AdapterConfig::rank_of(const std::string& path) const {
  const int64_t* own = first_match(ranks, path);
  return own == nullptr ? rank : *own;
}

double AdapterConfig::scale_of(const std::string& path) const {
  const double* own = first_match(alphas, path);
  const auto r = static_cast<double>(rank_of(path));
  return (own == nullptr ? alpha : *own) / (rank_stabilised ? std::sqrt(r) : r);
}

AdapterConfig parse_adapter_config(std::string_view text, const std::string& where) {
  ConfigReader config(parse_strict_json(text, Code::invalid_adapter, where), where, Code::invalid_adapter);
  const std::string kind = config.string("peft_type");
  if (kind != "LORA") config.unsupported("peft_type", "LORA");
  AdapterConfig result;
  result.rank = config.integer("r", 1, kMaxRank);
  result.alpha = read_alpha(config, "lora_alpha");
  result.rank_stabilised = config.boolean_or("use_rslora", false);
  result.tied_replacement = config.boolean_or("ensure_weight_tying", false);

  result.targets = read_choice(config, "target_modules", true);
  result.excluded = read_choice(config, "exclude_modules", false);
  if (!config.raw("modules_to_save").is_null()) result.replaced = read_names(config, "modules_to_save", kMaxReplaced);
  if (!config.raw("target_parameters").is_null()) {
    result.parameters.names = read_names(config, "target_parameters", kMaxTargets);
  }
  result.version = read_version(config);
  if (result.targets.empty() && result.replaced.empty() && result.parameters.empty()) config.fail("target_modules", "at least one module name");

  result.ranks = read_pattern<int64_t>(
      config, text, "rank_pattern",
      [](ConfigReader& pattern, const std::string& key) { return pattern.integer(key, 1, kMaxRank); });
  result.alphas = read_pattern<double>(
      config, text, "alpha_pattern",
      [](ConfigReader& pattern, const std::string& key) { return read_alpha(pattern, key); });

  result.layers = read_layers(config);
  check_layers_pattern(config);
  const std::string bias = config.string_or("bias", "none");  // those that were trained stand in the file as a whole
  if (bias != "none" && bias != "lora_only" && bias != "all") {
    config.unsupported("bias", "\"none\", \"lora_only\", \"all\"");
  }

  const auto& start = config.raw("init_lora_weights");
  const bool plain =
      start.is_null() || start.is_boolean() ||
      (start.is_string() && std::find(kPlainStarts.begin(), kPlainStarts.end(),
                                      start.get_ref<const std::string&>()) != kPlainStarts.end());
  if (!plain) config.unsupported("init_lora_weights", "true, false, gaussian, eva, orthogonal");
  result.base_name = config.string_or("base_model_name_or_path", "");

  config.ignore(kHarmless);
  for (const std::string& key : config.unread()) {
    // Whatever is left is a variant of LoRA (DoRA, layer replication, …): on means other maths.
    if (!is_off(config.raw(key))) config.unsupported(key, "leaving it out, or switching it off");
  }
  return result;
}

}  // namespace deltascope
