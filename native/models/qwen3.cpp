// Qwen3, dense. Source: transformers' Qwen3ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 31;

void read(ConfigReader& config, ModelSpec& spec) {
  if (!config.has("head_dim")) config.fail("head_dim", "a whole number (Qwen3 does not derive it)");
  read_common(config, spec);
  spec.attention_bias = config.boolean_or("attention_bias", false);
  spec.qk_norm = true;

  // A window applies only when switched on, and then to the blocks that layer_types, or max_window_layers,
  // names.
  const bool windowed = config.boolean_or("use_sliding_window", false);
  const int64_t from = config.integer_or("max_window_layers", 0, 1 << 20, 28);
  const int64_t window = config.integer_or("sliding_window", 1, kMaxWindow, windowed ? 4096 : 0);
  const bool listed = config.has("layer_types");
  const auto types = listed ? config.strings("layer_types") : std::vector<std::string>{};
  if (listed && static_cast<int64_t>(types.size()) != spec.layers)
    config.fail("layer_types", "one entry a layer");
  for (size_t i = 0; i < spec.blocks.size(); ++i) {
    if (listed && types[i] != "full_attention" && types[i] != "sliding_attention") {
      config.unsupported("layer_types", "full_attention, sliding_attention");
    }
    const bool sliding = listed ? types[i] == "sliding_attention" : static_cast<int64_t>(i) >= from;
    if (listed && sliding && !windowed)
      config.fail("layer_types", "full_attention everywhere while use_sliding_window is false");
    if (windowed && sliding) spec.blocks[i].window = window;
  }
}

}  // namespace

const Family kQwen3 = {"qwen3", {"Qwen3ForCausalLM"}, read};

}  // namespace deltascope
