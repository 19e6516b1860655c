#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "format/checkpoint.h"
#include "models/model_spec.h"

namespace deltascope {

/// One module's low-rank update: W x becomes W x + scale · B (A x).
struct LowRank {
  int64_t rank = 0;
  float scale = 0;
  std::vector<float> a;  // [rank, in]
  std::vector<float> b;  // [out, rank]
};

/// What a LoRA does to one module.
struct AdaptedModule {
  std::string name;   // "layers.3.self_attn.q_proj"
  double change = 0;  // Frobenius norm of scale · B A
};

/// A PEFT LoRA of the ordinary kind (Hu et al. 2021, arXiv 2106.09685; rsLoRA: Kalajdzievski 2023, arXiv
/// 2312.03732), read from adapter_config.json and adapter_model.safetensors. Every tensor of the file is
/// used, or opening fails.
class Adapter {
 public:
  /// Throws FILE_NOT_FOUND, INVALID_ADAPTER (a field or tensor that does not fit the base), MODEL_UNSUPPORTED
  /// (another kind of PEFT, by name), ADAPTER_INERT (B A is zero in every module).
  Adapter(const std::string& folder, const ModelSpec& spec);

  /// The update of one module; null when the adapter leaves it alone.
  const LowRank* find(int64_t layer, Role role) const;

  const std::vector<AdaptedModule>& modules() const { return modules_; }
  /// The base that adapter_config.json names, "" when it names none: a path or a repository.
  const std::string& base_name() const { return base_name_; }
  /// Weights in A and B together.
  int64_t parameters() const { return parameters_; }

 private:
  std::vector<std::array<std::unique_ptr<LowRank>, kRoleCount>> updates_;  // [layers]
  std::vector<AdaptedModule> modules_;
  std::string base_name_;
  int64_t parameters_ = 0;
};

}  // namespace deltascope
