#include "models/gemma_config.h"

#include <cmath>

namespace deltascope {

void read_gemma(ConfigReader& config, ModelSpec& spec, const Defaults& defaults, double query_scalar) {
  read_sizes(config, spec, defaults);
  spec.norm_plus_one = true;
  // The outputs of attention and MLP are normalised too, before they are added.
  spec.names.norm_after_attention = "post_attention_layernorm";
  spec.names.norm_before_mlp = "pre_feedforward_layernorm";
  spec.names.norm_after_mlp = "post_feedforward_layernorm";
  spec.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(spec.d_model)));
  spec.activation = Activation::gelu_tanh;
  // Old files carry hidden_act too, which transformers passes over in favour of hidden_activation.
  config.ignore({"hidden_act"});
  if (config.string_or("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh") {
    config.unsupported("hidden_activation", "gelu_pytorch_tanh");
  }
  spec.attention_scale =
      static_cast<float>(1.0 / std::sqrt(config.real_or("query_pre_attn_scalar", 0, query_scalar)));
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.attention_softcap = static_cast<float>(config.real_or("attn_logit_softcapping", 0, 0));
  spec.logit_softcap = static_cast<float>(config.real_or("final_logit_softcapping", 0, 0));
}

}  // namespace deltascope
