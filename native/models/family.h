#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "format/config_reader.h"
#include "models/model_spec.h"

namespace deltascope {

/// A family of architectures: one file that turns config.json into a ModelSpec, and one line in registry.cpp.
struct Family {
  std::string_view name;
  std::vector<std::string_view> architectures;  // config.json's `architectures[0]`
  /// Reads what the family needs. Throws INVALID_CONFIG or MODEL_UNSUPPORTED.
  void (*read)(ConfigReader& config, ModelSpec& spec);
};

extern const Family kLlama;
extern const Family kQwen3;

/// All families, in the order the documentation lists them.
std::span<const Family* const> families();

/// Reads config.json of a checkpoint folder: finds the family, lets it read, and refuses every key left over
/// that is known to change the maths. Throws FILE_NOT_FOUND, INVALID_CONFIG, MODEL_UNSUPPORTED.
ModelSpec read_model_spec(const std::string& folder);

/// The fields that all Llama-like configs share: sizes, heads, norm epsilon, rotary settings.
void read_common(ConfigReader& config, ModelSpec& spec);

/// Rotary frequencies from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (4).
std::vector<float> read_rotary(ConfigReader& config, int64_t head_dim, double default_theta);

}  // namespace deltascope
