// Qwen3, dense. Source: transformers' Qwen3ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  if (!config.has("head_dim")) config.fail("head_dim", "a whole number (Qwen3 does not derive it)");
  read_common(config, spec);
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.qk_norm = true;
  read_qwen_windows(config, spec);
}

}  // namespace

const Family kQwen3 = {"qwen3", {"Qwen3ForCausalLM"}, read};

}  // namespace deltascope
