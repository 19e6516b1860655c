#include <cmath>

#include "models/family.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxHeadDim = int64_t{1} << 16;
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxPositions = int64_t{1} << 40;
constexpr int64_t kMaxWindow = int64_t{1} << 31;

}  // namespace

bool read_layer_types(ConfigReader& config, ModelSpec& spec, int64_t window) {
  if (!config.has("layer_types")) return false;
  const auto types = config.strings("layer_types");
  if (static_cast<int64_t>(types.size()) != spec.layers) config.fail("layer_types", "one entry a layer");
  for (size_t i = 0; i < types.size(); ++i) {
    const bool sliding = types[i] == "sliding_attention";
    if (!sliding && types[i] != "full_attention") {
      config.unsupported("layer_types", "full_attention, sliding_attention");
    }
    if (sliding && window == 0) {
      config.fail("layer_types", "full_attention everywhere while no sliding window is set");
    }
    spec.blocks[i].window = sliding ? window : 0;
  }
  return true;
}

void read_qwen_windows(ConfigReader& config, ModelSpec& spec) {
  const bool on = config.boolean_or("use_sliding_window", false);
  const int64_t from = config.integer_or("max_window_layers", 0, 1 << 20, 28);
  const int64_t size = config.integer_or("sliding_window", 1, kMaxWindow, on ? 4096 : 0);
  const int64_t window = on ? size : 0;
  if (read_layer_types(config, spec, window)) return;
  for (int64_t i = from; i < spec.layers; ++i) spec.blocks[static_cast<size_t>(i)].window = window;
}

void read_sizes(ConfigReader& config, ModelSpec& spec, const Defaults& defaults) {
  const auto integer = [&](const char* key, int64_t high, int64_t otherwise) {
    return otherwise == 0 ? config.integer(key, 1, high) : config.integer_or(key, 1, high, otherwise);
  };
  spec.layers = config.integer("num_hidden_layers", 1, 4096);
  spec.d_model = config.integer("hidden_size", 1, kMaxWidth);
  spec.d_mlp = config.integer("intermediate_size", 1, kMaxWidth);
  spec.heads = integer("num_attention_heads", 65536, defaults.heads);
  spec.kv_heads =
      integer("num_key_value_heads", 65536, defaults.kv_heads == 0 ? spec.heads : defaults.kv_heads);
  spec.vocab_size = integer("vocab_size", kMaxVocab, defaults.vocab_size);
  const double eps = defaults.norm_eps == 0 ? config.real("rms_norm_eps", 0)
                                            : config.real_or("rms_norm_eps", 0, defaults.norm_eps);
  spec.norm_eps = static_cast<float>(eps);
  if (spec.heads % spec.kv_heads != 0) {
    config.fail("num_key_value_heads",
                "a divisor of num_attention_heads (" + std::to_string(spec.heads) + ")");
  }
  if (!config.has("head_dim") && defaults.head_dim == 0 && spec.d_model % spec.heads != 0) {
    config.fail("num_attention_heads",
                "a divisor of hidden_size (" + std::to_string(spec.d_model) + "), or a head_dim");
  }
  const int64_t derived = defaults.head_dim == 0 ? spec.d_model / spec.heads : defaults.head_dim;
  spec.head_dim = config.integer_or("head_dim", 2, kMaxHeadDim, derived);
  if (spec.head_dim % 2 != 0) config.fail("head_dim", "an even number");
  if (spec.head_dim > kMaxHeadDim) config.fail("head_dim", "at most " + std::to_string(kMaxHeadDim));
  spec.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.head_dim)));
  spec.max_positions = config.integer_or("max_position_embeddings", 1, kMaxPositions, 0);
  spec.tied_head = config.boolean_or("tie_word_embeddings", defaults.tied_head);
  spec.blocks.assign(static_cast<size_t>(spec.layers), BlockSpec{});
}

void read_common(ConfigReader& config, ModelSpec& spec, const Defaults& defaults) {
  read_sizes(config, spec, defaults);
  if (config.string_or("hidden_act", "silu") != "silu") config.unsupported("hidden_act", "silu");
  spec.rotary = {read_rotary(config, read_rotary_context(config, spec.head_dim, defaults.rope_theta))};
}

}  // namespace deltascope
