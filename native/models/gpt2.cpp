// GPT-2: learned positions, layer norms with shifts, an ungated MLP, weights stored [in, out] with q, k and v in one
// tensor. Source: transformers' GPT2LMHeadModel.
#include <cmath>

#include "models/family.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 20;

void read(ConfigReader& config, ModelSpec& spec) {
  spec.layers = config.integer_or("n_layer", 1, 4096, 12);
  spec.d_model = config.integer_or("n_embd", 1, kMaxWidth, 768);
  spec.heads = spec.kv_heads = config.integer_or("n_head", 1, 65536, 12);
  if (spec.d_model % spec.heads != 0) {
    config.fail("n_head", "a divisor of n_embd (" + std::to_string(spec.d_model) + ")");
  }
  spec.head_dim = spec.d_model / spec.heads;
  spec.d_mlp = config.integer_or("n_inner", 1, kMaxWidth, 4 * spec.d_model);
  spec.vocab_size = config.integer_or("vocab_size", 1, int64_t{1} << 24, 50257);
  spec.learned_positions = config.integer_or("n_positions", 1, int64_t{1} << 24, 1024);
  spec.norm = Norm::layer;
  spec.norm_eps = static_cast<float>(config.real_or("layer_norm_epsilon", 0, 1e-5));
  const std::string activation = config.string_or("activation_function", "gelu_new");
  if (activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
    config.unsupported("activation_function", "gelu_new, gelu_pytorch_tanh");
  }
  spec.activation = Activation::gelu_tanh;
  spec.gated_mlp = false;
  spec.qkv_bias = spec.o_bias = spec.mlp_bias = true;
  spec.input_major = true;
  spec.tied_head = config.boolean_or("tie_word_embeddings", true);
  spec.blocks.assign(static_cast<size_t>(spec.layers), BlockSpec{});
  const bool scaled = config.boolean_or("scale_attn_weights", true),
             by_layer = config.boolean_or("scale_attn_by_inverse_layer_idx", false);
  const double scale = scaled ? 1.0 / std::sqrt(static_cast<double>(spec.head_dim)) : 1.0;
  for (size_t i = 0; i < spec.blocks.size(); ++i) {
    spec.blocks[i].attention_scale = static_cast<float>(by_layer ? scale / static_cast<double>(i + 1) : scale);
  }

  // The original files have no prefix and keep the attention masks.
  spec.tensor_prefixes = {"transformer.", ""};
  spec.derived_suffixes = {".attn.bias", ".attn.masked_bias"};
  TensorNames& names = spec.names;
  names.embedding = "wte";
  names.positions = "wpe";
  names.blocks = "h";
  names.final_norm = "ln_f";
  names.norm_before_attention = "ln_1";
  names.norm_before_mlp = "ln_2";
  for (const Role role : {Role::q, Role::k, Role::v}) names.module(role) = "attn.c_attn";
  names.module(Role::o) = "attn.c_proj";
  names.module(Role::up) = "mlp.c_fc";
  names.module(Role::down) = "mlp.c_proj";
  config.ignore({"attn_pdrop", "n_ctx", "reorder_and_upcast_attn", "summary_activation", "summary_first_dropout",
                 "summary_proj_to_labels", "summary_type", "summary_use_proj"});
}

}  // namespace

const Family kGpt2 = {"gpt2", "GPT-2", {"GPT2LMHeadModel"}, {"gpt2"}, read};

}  // namespace deltascope
