// Qwen3, dense. Source: transformers' Qwen3ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.head_dim = 128, .norm_eps = 1e-6});
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.qk_norm = QkNorm::head;
  read_qwen_windows(config, spec);
}

}  // namespace

const Family kQwen3 = {"qwen3", "Qwen 3", {"Qwen3ForCausalLM"}, {"qwen3"}, read};

}  // namespace deltascope
