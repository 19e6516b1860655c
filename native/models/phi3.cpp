// Phi-3, Phi-3.5 and Phi-4-mini: q, k, v in one tensor, gate and up in another; longrope. Source: transformers'
// Phi3ForCausalLM.
#include "models/family.h"

namespace deltascope {
namespace {

void read(ConfigReader& config, ModelSpec& spec) {
  read_sizes(config, spec, {.vocab_size = 32064, .norm_eps = 1e-5});
  if (config.string_or("hidden_act", "silu") != "silu") config.unsupported("hidden_act", "silu");
  RotaryContext rotary = read_rotary_context(config, spec.head_dim, 10000);
  rotary.partial = true;
  if (rotary.original_positions == 0) rotary.original_positions = 4096;  // the class's, whatever the parameters say
  if (rotary.max_positions == 0) rotary.max_positions = 4096;
  spec.rotary = {read_rotary(config, rotary)};
  for (const char* bias : {"attention_bias", "mlp_bias", "lm_head_bias"}) {  // the class has none
    if (config.boolean_or(bias, false)) config.unsupported(bias, "false");
  }
  config.ignore({"full_attn_mod", "interpolate_factor"});
  for (const Role role : {Role::q, Role::k, Role::v}) spec.names.module(role) = "self_attn.qkv_proj";
  for (const Role role : {Role::gate, Role::up}) spec.names.module(role) = "mlp.gate_up_proj";
  const int64_t window = config.integer_or("sliding_window", 1, int64_t{1} << 31, 0);
  if (read_layer_types(config, spec, window)) return;
  for (BlockSpec& block : spec.blocks) block.window = window;
}

}  // namespace

const Family kPhi3 = {"phi3", "Phi-3, Phi-3.5, Phi-4-mini", {"Phi3ForCausalLM"}, {"phi3"}, read};

}  // namespace deltascope
