#include "models/adapter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "core/errors.h"
#include "format/config_reader.h"
#include "ops/convert.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxRank = 1 << 16;

/// Fields of a LoRA config that say something about training or bookkeeping only.
const std::vector<std::string_view> kHarmless = {"auto_mapping",        "base_model_name_or_path",
                                                 "ensure_weight_tying", "inference_mode",
                                                 "init_lora_weights",   "lora_dropout",
                                                 "megatron_core",       "peft_version",
                                                 "qalora_group_size",   "revision",
                                                 "task_type",           "loftq_config",
                                                 "lora_ga_config",      "runtime_config"};

struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  std::vector<std::string> targets;
};

bool is_off(const nlohmann::json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

AdapterConfig read_config(const std::string& folder) {
  ConfigReader config = ConfigReader::open(folder + "/adapter_config.json", Code::invalid_adapter);
  const std::string kind = config.string("peft_type");
  if (kind != "LORA") config.unsupported("peft_type", "LORA");
  AdapterConfig result;
  result.rank = config.integer("r", 1, kMaxRank);
  result.alpha = config.real("lora_alpha", 0);
  if (result.alpha > 1e6) config.fail("lora_alpha", "a number of at most 1e6");
  result.rank_stabilised = config.boolean_or("use_rslora", false);
  if (!config.raw("target_modules").is_array())
    config.unsupported("target_modules", "a list of module names");
  result.targets = config.strings("target_modules");
  if (result.targets.empty()) config.fail("target_modules", "at least one module name");
  if (config.string_or("bias", "none") != "none") config.unsupported("bias", "\"none\"");

  config.ignore(kHarmless);
  for (const std::string& key : config.unread()) {
    // Whatever is left is a variant of LoRA (DoRA, layer replication, patterns, …): on means other maths.
    if (!is_off(config.raw(key))) config.unsupported(key, "leaving it out, or switching it off");
  }
  return result;
}

/// "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight", taken apart.
struct AdapterKey {
  int64_t layer;
  Role role;
  bool is_a;
};

std::optional<AdapterKey> parse_key(std::string_view key, int64_t layers) {
  constexpr std::string_view kPrefix = "base_model.model.model.layers.";
  if (!key.starts_with(kPrefix)) return std::nullopt;
  key.remove_prefix(kPrefix.size());
  int64_t layer = 0;
  size_t digits = 0;
  while (digits < key.size() && digits < 6 && key[digits] >= '0' && key[digits] <= '9')
    layer = layer * 10 + (key[digits++] - '0');
  if (digits == 0 || layer >= layers || (digits > 1 && key[0] == '0')) return std::nullopt;
  key.remove_prefix(digits);
  for (const Role role : kRoles) {
    const std::string stem = "." + std::string(module_path(role)) + ".lora_";
    if (key == stem + "A.weight") return AdapterKey{layer, role, true};
    if (key == stem + "B.weight") return AdapterKey{layer, role, false};
  }
  return std::nullopt;
}

/// A target names a module when it is its whole path or the path's end after a dot, as PEFT reads a list.
bool is_target(const std::vector<std::string>& targets, int64_t layer, Role role) {
  const std::string path = "model.layers." + std::to_string(layer) + "." + module_path(role);
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    return path == target || path.ends_with("." + target);
  });
}

std::vector<float> read_matrix(Checkpoint& file, const std::string& path, const std::string& tensor,
                               int64_t rows, int64_t columns) {
  const TensorInfo* info = file.find(tensor);
  const std::vector<int64_t> shape = {rows, columns};
  if (info == nullptr || info->shape != shape) {
    const std::string found = info == nullptr ? "nothing" : describe(info->shape);
    throw Error(Code::invalid_adapter,
                path + ": tensor " + tensor + " should have shape " + describe(shape) + ", found " + found,
                {{"file", path}, {"tensor", tensor}, {"expected", describe(shape)}, {"found", found}});
  }
  if (info->dtype != DType::f32 && info->dtype != DType::f16 && info->dtype != DType::bf16) {
    throw Error(Code::invalid_adapter,
                path + ": tensor " + tensor + " has dtype " + std::string(container_name(info->dtype)) +
                    "; F32, F16 or BF16 is expected",
                {{"file", path}, {"tensor", tensor}});
  }
  std::vector<float> values(static_cast<size_t>(rows * columns));
  convert_to_f32(file.bytes(*info), info->dtype, values.data(), rows * columns);
  if (count_not_finite(values.data(), rows * columns) > 0) {
    throw Error(Code::invalid_adapter, path + ": tensor " + tensor + " holds NaN or infinity",
                {{"file", path}, {"tensor", tensor}});
  }
  return values;
}

/// ‖B A‖ without forming it: ‖B A‖² = Σ (BᵀB) ∘ (A Aᵀ), [rank, rank] each, in float64.
double product_norm(const LowRank& update, int64_t out, int64_t in) {
  const int64_t r = update.rank;
  std::vector<double> left(static_cast<size_t>(r * r)), right(static_cast<size_t>(r * r));
  for (int64_t row = 0; row < out; ++row) {
    const float* b = &update.b[static_cast<size_t>(row * r)];
    for (int64_t i = 0; i < r; ++i) {
      for (int64_t j = 0; j < r; ++j)
        left[static_cast<size_t>(i * r + j)] += static_cast<double>(b[i]) * b[j];
    }
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < r; ++i) {
    for (int64_t j = 0; j < r; ++j) {
      double sum = 0;
      const float *ai = &update.a[static_cast<size_t>(i * in)], *aj = &update.a[static_cast<size_t>(j * in)];
      for (int64_t k = 0; k < in; ++k) sum += static_cast<double>(ai[k]) * aj[k];
      right[static_cast<size_t>(i * r + j)] = sum;
    }
  }
  double squared = 0;
  for (size_t i = 0; i < left.size(); ++i) squared += left[i] * right[i];
  return std::sqrt(std::max(0.0, squared));
}

}  // namespace

Adapter::Adapter(const std::string& folder, const ModelSpec& spec) {
  if (!is_directory(folder))
    throw Error(Code::file_not_found, "no such folder: " + folder, {{"file", folder}});
  const AdapterConfig config = read_config(folder);
  const std::string path = folder + "/adapter_model.safetensors";
  if (!is_file(path) && is_file(folder + "/adapter_model.bin")) {
    throw Error(Code::file_not_found,
                folder + " holds adapter_model.bin only; pickles are never opened, save it as safetensors",
                {{"file", path}});
  }
  Checkpoint file = Checkpoint::single_file(path);

  std::map<std::pair<int64_t, Role>, std::array<std::string, 2>> found;  // (layer, role) -> names of A and B
  for (const auto& entry : file.tensors()) {
    const auto key = parse_key(entry.first, spec.layers);
    if (!key) {
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + entry.first + " matches no module of " + spec.architecture + " with " +
                      std::to_string(spec.layers) + " layers",
                  {{"file", path}, {"tensor", entry.first}});
    }
    if (!is_target(config.targets, key->layer, key->role)) {
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + entry.first + " is not among target_modules of adapter_config.json",
                  {{"file", path}, {"tensor", entry.first}, {"field", "target_modules"}});
    }
    found[{key->layer, key->role}][key->is_a ? 0 : 1] = entry.first;
  }
  if (found.empty())
    throw Error(Code::invalid_adapter, path + " adapts no module of the base model", {{"file", path}});
  for (const std::string& target : config.targets) {
    const bool used = std::any_of(found.begin(), found.end(), [&](const auto& entry) {
      return is_target({target}, entry.first.first, entry.first.second);
    });
    if (!used) {
      throw Error(Code::invalid_adapter, path + ": no tensor for target module " + target,
                  {{"file", path}, {"field", "target_modules"}, {"expected", target}});
    }
  }

  updates_.resize(static_cast<size_t>(spec.layers));
  double largest = 0;
  for (const auto& [at, names] : found) {
    const auto [layer, role] = at;
    const std::string module = "layers." + std::to_string(layer) + "." + module_path(role);
    if (names[0].empty() || names[1].empty()) {
      throw Error(
          Code::invalid_adapter,
          path + ": " + module + " has lora_" + (names[0].empty() ? "B without lora_A" : "A without lora_B"),
          {{"file", path}, {"tensor", module}});
    }
    const auto [out, in] = linear_shape(spec, role);
    auto update = std::make_unique<LowRank>();
    update->rank = config.rank;
    const double divisor = config.rank_stabilised ? std::sqrt(static_cast<double>(config.rank))
                                                  : static_cast<double>(config.rank);
    update->scale = static_cast<float>(config.alpha / divisor);
    update->a = read_matrix(file, path, names[0], config.rank, in);
    update->b = read_matrix(file, path, names[1], out, config.rank);
    const double change = static_cast<double>(update->scale) * product_norm(*update, out, in);
    modules_.push_back({module, change});
    largest = std::max(largest, change);
    parameters_ += config.rank * (in + out);
    updates_[static_cast<size_t>(layer)][static_cast<size_t>(role)] = std::move(update);
  }
  if (largest == 0) {
    throw Error(Code::adapter_inert,
                path + ": the adapter changes nothing (B·A is zero in all " +
                    std::to_string(modules_.size()) + " modules)",
                {{"file", path}});
  }
}

const LowRank* Adapter::find(int64_t layer, Role role) const {
  return updates_[static_cast<size_t>(layer)][static_cast<size_t>(role)].get();
}

}  // namespace deltascope
