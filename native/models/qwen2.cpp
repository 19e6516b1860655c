// Qwen 2 and 2.5, dense: biases on q, k and v, none on o. Source: transformers' Qwen2ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.norm_eps = 1e-6});
  spec.qkv_bias = true;
  read_qwen_windows(config, spec);
}

}  // namespace

const Family kQwen2 = {"qwen2", "Qwen 2, 2.5", {"Qwen2ForCausalLM"}, {"qwen2"}, read};

}  // namespace deltascope
