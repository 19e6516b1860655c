// OLMo 2: norms behind attention and MLP, none before; q and k normalised over all heads together. Source:
// transformers' Olmo2ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.norm_eps = 1e-5});
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.qk_norm = QkNorm::row;
  spec.names.norm_before_attention = spec.names.norm_before_mlp = "";
  spec.names.norm_after_attention = "post_attention_layernorm";
  spec.names.norm_after_mlp = "post_feedforward_layernorm";
}

}  // namespace

const Family kOlmo2 = {"olmo2", "OLMo 2", {"Olmo2ForCausalLM"}, {"olmo2"}, read};

}  // namespace deltascope
