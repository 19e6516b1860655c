#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deltascope {

/// adapter_config.json of a PEFT LoRA.
struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  std::string base_name;
  bool any_target = false;  // "all-linear", or an expression: the file itself says which modules it adapts
  std::vector<std::string> targets;
  std::vector<std::pair<std::string, int64_t>> ranks;  // rank_pattern
  std::vector<std::pair<std::string, double>> alphas;  // alpha_pattern
  std::vector<int64_t> layers;                         // layers_to_transform; empty: all
};

/// Reads the text of an adapter_config.json; every field that changes the maths is understood or refused by name.
/// Pure, so that a fuzzer can call it; `where` is named in errors. Throws INVALID_ADAPTER, MODEL_UNSUPPORTED.
AdapterConfig parse_adapter_config(std::string_view text, const std::string& where);

}  // namespace deltascope
