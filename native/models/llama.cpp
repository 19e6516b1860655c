// Llama 2 and 3.x. Source: transformers' LlamaForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.norm_eps = 1e-6});
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.mlp_bias = config.boolean_or("mlp_bias", false);
}

}  // namespace

const Family kLlama = {"llama", "Llama 2, 3.x", {"LlamaForCausalLM"}, {"llama"}, read};

}  // namespace deltascope
