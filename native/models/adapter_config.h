#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/module_pattern.h"

namespace deltascope {

/// Which modules a setting is about: names (a module's whole path, or its end after a dot), or an expression that matches
/// the whole path.
struct ModuleChoice {
  bool any = false;  // "all-linear", or an expression that cannot be checked: the file itself says which
  std::set<std::string, std::less<>> names;
  std::vector<ModulePattern> expressions;

  bool empty() const { return !any && names.empty() && expressions.empty(); }
  bool includes(const std::string& path) const;
};

/// adapter_config.json of a PEFT LoRA. Module paths are those of the base as PEFT saw it, e.g.
/// "model.layers.3.self_attn.q_proj".
struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  bool tied_replacement = false;  // ensure_weight_tying: a replaced embedding replaces a tied head too, and the reverse
  std::string base_name;
  ModuleChoice targets, excluded;
  /// target_parameters: tensors by their own names, e.g. "mlp.experts.down_proj", the experts of a block side by side.
  ModuleChoice parameters;
  /// peft_version as (major, minor); nothing when it does not say.
  std::optional<std::pair<int64_t, int64_t>> version;
  std::set<std::string, std::less<>> replaced;  // modules_to_save

  /// rank_pattern and alpha_pattern, in the order of the file: the first that matches decides.
  std::vector<std::pair<ModulePattern, int64_t>> ranks;
  std::vector<std::pair<ModulePattern, double>> alphas;
  std::vector<int64_t> layers;  // layers_to_transform; empty: all

  /// Whether the config says that this module is adapted; `layer`: −1 outside the blocks.
  bool adapts(const std::string& path, int64_t layer) const;
  /// The same of a tensor. Neither exclude_modules nor layers_to_transform is about those.
  bool adapts_parameter(const std::string& path) const { return parameters.includes(path); }
  /// Of a module's path, or a tensor's that target_parameters names.
  int64_t rank_of(const std::string& path) const;
  /// What multiplies B A x: alpha / r, or alpha / sqrt(r).
  double scale_of(const std::string& path) const;
};

/// Reads the text of an adapter_config.json; every field that changes the maths is understood or refused by name.
/// Pure, so that a fuzzer can call it; `where` is named in errors. Throws INVALID_ADAPTER, MODEL_UNSUPPORTED.
AdapterConfig parse_adapter_config(std::string_view text, const std::string& where);

}  // namespace deltascope
