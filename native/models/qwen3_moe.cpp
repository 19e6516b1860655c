// Qwen3 with a mixture of experts in place of most MLPs. Source: transformers' Qwen3MoeForCausalLM.
#include <algorithm>

#include "models/family.h"

namespace deltascope {
namespace {

// In all layers together, ten times what the largest published models have: an adapter is compared with each.
constexpr int64_t kMaxExperts = int64_t{1} << 18;

std::vector<int64_t> read_dense_layers(ConfigReader& config, int64_t layers) {
  std::vector<int64_t> dense;
  const auto& list = config.raw("mlp_only_layers");
  if (list.is_null()) return dense;
  if (!list.is_array() || list.size() > static_cast<size_t>(layers)) {
    config.fail("mlp_only_layers", "a list of at most " + std::to_string(layers) + " layer numbers");
  }
  for (const auto& layer : list) {
    if (!layer.is_number_integer() || layer < 0 || layer >= layers) {
      config.fail("mlp_only_layers", "layer numbers below " + std::to_string(layers));
    }
    dense.push_back(layer.get<int64_t>());
  }
  return dense;
}

void read(ConfigReader& config, ModelSpec& spec) {
  read_common(config, spec, {.kv_heads = 4, .norm_eps = 1e-6});
  spec.qkv_bias = spec.o_bias = config.boolean_or("attention_bias", false);
  spec.qk_norm = QkNorm::head;
  // Both spellings of their number; a file must not say two things.
  const int64_t local = config.integer_or("num_local_experts", 1, 1 << 16, 0);
  spec.experts = config.integer_or("num_experts", 1, 1 << 16, local == 0 ? 128 : local);
  if (local != 0 && local != spec.experts) config.fail("num_local_experts", "the value of num_experts");
  if (spec.experts * spec.layers > kMaxExperts) {
    config.fail("num_experts", "at most " + std::to_string(kMaxExperts / spec.layers) + " for each of " +
                                   std::to_string(spec.layers) + " layers");
  }
  spec.experts_per_token = config.integer_or("num_experts_per_tok", 1, spec.experts, 8);
  if (spec.experts_per_token > spec.experts) {  // the class's 8
    config.fail("num_experts_per_tok", "a whole number from 1 to " + std::to_string(spec.experts));
  }
  spec.d_expert = config.integer_or("moe_intermediate_size", 1, int64_t{1} << 20, 768);
  spec.renormalise_experts = config.boolean_or("norm_topk_prob", false);
  const int64_t step = config.integer_or("decoder_sparse_step", 1, 4096, 1);
  const auto dense = read_dense_layers(config, spec.layers);
  for (int64_t i = 0; i < spec.layers; ++i) {
    const bool listed = std::find(dense.begin(), dense.end(), i) != dense.end();
    spec.blocks[static_cast<size_t>(i)].experts = !listed && (i + 1) % step == 0;
  }
  config.ignore({"output_router_logits", "router_aux_loss_coef"});
  // One window for all blocks, where it is on at all.
  const bool on = config.boolean_or("use_sliding_window", false);
  const int64_t window = config.integer_or("sliding_window", 1, int64_t{1} << 31, on ? 4096 : 0);
  config.ignore({"max_window_layers"});
  if (read_layer_types(config, spec, on ? window : 0) || !on) return;
  for (BlockSpec& block : spec.blocks) block.window = window;
}

}  // namespace

const Family kQwen3Moe = {"qwen3_moe", "Qwen 3, mixture of experts", {"Qwen3MoeForCausalLM"}, {"qwen3_moe"}, read};

}  // namespace deltascope
