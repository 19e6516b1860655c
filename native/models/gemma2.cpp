// Gemma 2: soft caps, every other block windowed. Source: transformers' Gemma2ForCausalLM.
#include "models/gemma_config.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_gemma(
      config, spec,
      {.heads = 8, .kv_heads = 4, .head_dim = 256, .vocab_size = 256000, .norm_eps = 1e-6, .tied_head = true},
      256);
  // The class has caps where the file says nothing; null switches them off.
  if (!config.names("attn_logit_softcapping")) spec.attention_softcap = 50;
  if (!config.names("final_logit_softcapping")) spec.logit_softcap = 30;
  spec.rotary = {read_rotary(config, read_rotary_context(config, spec.head_dim, 10000))};
  config.ignore({"cache_implementation", "sliding_window_size"});
  const int64_t window = config.integer_or("sliding_window", 1, int64_t{1} << 31, 4096);
  if (read_layer_types(config, spec, window)) return;
  for (size_t i = 0; i < spec.blocks.size(); i += 2) spec.blocks[i].window = window;
}

}  // namespace

const Family kGemma2 = {"gemma2", "Gemma 2", {"Gemma2ForCausalLM"}, {"gemma2"}, read};

}  // namespace deltascope
