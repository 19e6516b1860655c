// Mistral, with and without a sliding window. Source: transformers' MistralForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.kv_heads = 8, .norm_eps = 1e-6});
  // Left out it means the class's 4,096; written as null it means none.
  const bool named = config.names("sliding_window");
  const int64_t window = config.integer_or("sliding_window", 1, int64_t{1} << 31, named ? 0 : 4096);
  if (read_layer_types(config, spec, window)) return;
  for (BlockSpec& block : spec.blocks) block.window = window;
}

}  // namespace

const Family kMistral = {"mistral", "Mistral, with and without a sliding window", {"MistralForCausalLM"}, {"mistral"}, read};

}  // namespace deltascope
