#include "models/adapter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "core/errors.h"
#include "format/config_reader.h"
#include "models/adapter_config.h"
#include "models/read_weights.h"
#include "ops/convert.h"

namespace deltascope {
namespace {

/// "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight", taken apart.
struct AdapterKey {
  int64_t layer;
  Role role;
  bool is_a;
};

std::optional<AdapterKey> parse_key(std::string_view key, const ModelSpec& spec) {
  // Adapters of a larger model name its text part as that version of transformers did.
  const auto has_prefix = [&](const std::string& prefix) {
    return key.starts_with("base_model.model." + prefix + "layers.");
  };
  const auto prefix = std::find_if(spec.tensor_prefixes.begin(), spec.tensor_prefixes.end(), has_prefix);
  if (prefix == spec.tensor_prefixes.end()) return std::nullopt;
  key.remove_prefix(("base_model.model." + *prefix + "layers.").size());
  int64_t layer = 0;
  size_t digits = 0;
  while (digits < key.size() && digits < 6 && key[digits] >= '0' && key[digits] <= '9') {
    layer = layer * 10 + (key[digits++] - '0');
  }
  if (digits == 0 || layer >= spec.layers || (digits > 1 && key[0] == '0')) return std::nullopt;
  key.remove_prefix(digits);
  for (const Role role : kRoles) {
    const std::string stem = "." + std::string(module_path(role)) + ".lora_";
    if (key == stem + "A.weight") return AdapterKey{layer, role, true};
    if (key == stem + "B.weight") return AdapterKey{layer, role, false};
  }
  return std::nullopt;
}

/// A name stands for a module when it is its whole path or the path's end after a dot, as PEFT reads a list.
bool names_module(const std::string& name, int64_t layer, Role role, const ModelSpec& spec) {
  const std::string end = "layers." + std::to_string(layer) + "." + module_path(role);
  return std::any_of(spec.tensor_prefixes.begin(), spec.tensor_prefixes.end(),
                     [&](const std::string& prefix) {
                       return prefix + end == name || (prefix + end).ends_with("." + name);
                     });
}

/// The number that a pattern gives a module, or the one that all others have.
template <typename T>
T matching(const std::vector<std::pair<std::string, T>>& pattern, T otherwise, int64_t layer, Role role,
           const ModelSpec& spec) {
  for (const auto& [name, value] : pattern) {
    if (names_module(name, layer, role, spec)) return value;
  }
  return otherwise;
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
  read_weights(file, *info, 0, rows * columns, values.data());
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
  const std::string config_path = folder + "/adapter_config.json";
  const AdapterConfig config =
      parse_adapter_config(read_small_file(config_path, ConfigReader::kMaxBytes), config_path);
  base_name_ = config.base_name;
  const std::string path = folder + "/adapter_model.safetensors";
  if (!is_file(path) && is_file(folder + "/adapter_model.bin")) {
    throw Error(Code::file_not_found,
                folder + " holds adapter_model.bin only; pickles are never opened, save it as safetensors",
                {{"file", path}});
  }
  Checkpoint file = Checkpoint::single_file(path);

  std::map<std::pair<int64_t, Role>, std::array<std::string, 2>> found;  // (layer, role) -> names of A and B
  for (const auto& entry : file.tensors()) {
    const auto key = parse_key(entry.first, spec);
    if (!key) {
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + entry.first + " matches no module of " + spec.architecture + " with " +
                      std::to_string(spec.layers) + " layers",
                  {{"file", path}, {"tensor", entry.first}});
    }
    const auto named = [&](const std::string& target) {
      return names_module(target, key->layer, key->role, spec);
    };
    if (!config.any_target && std::none_of(config.targets.begin(), config.targets.end(), named)) {
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + entry.first + " is not among target_modules of adapter_config.json",
                  {{"file", path}, {"tensor", entry.first}, {"field", "target_modules"}});
    }
    const auto& layers = config.layers;
    if (!layers.empty() && std::find(layers.begin(), layers.end(), key->layer) == layers.end()) {
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + entry.first + " is not in layers_to_transform of adapter_config.json",
                  {{"file", path}, {"tensor", entry.first}, {"field", "layers_to_transform"}});
    }
    found[{key->layer, key->role}][key->is_a ? 0 : 1] = entry.first;
  }
  if (found.empty())
    throw Error(Code::invalid_adapter, path + " adapts no module of the base model", {{"file", path}});
  for (const std::string& target : config.targets) {
    const bool used = std::any_of(found.begin(), found.end(), [&](const auto& entry) {
      return names_module(target, entry.first.first, entry.first.second, spec);
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
    update->rank = matching(config.ranks, config.rank, layer, role, spec);
    const double alpha = matching(config.alphas, config.alpha, layer, role, spec);
    const double divisor = config.rank_stabilised ? std::sqrt(static_cast<double>(update->rank))
                                                  : static_cast<double>(update->rank);
    update->scale = static_cast<float>(alpha / divisor);
    update->a = read_matrix(file, path, names[0], update->rank, in);
    update->b = read_matrix(file, path, names[1], out, update->rank);
    const double change = static_cast<double>(update->scale) * product_norm(*update, out, in);
    modules_.push_back({module, change});
    largest = std::max(largest, change);
    parameters_ += update->rank * (in + out);
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
