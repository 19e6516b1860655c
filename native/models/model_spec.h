#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "models/rotary_table.h"

namespace deltascope {

/// One decoder block's own settings.
struct BlockSpec {
  int64_t window = 0;    // attention window in tokens; 0: unlimited
  size_t rotary = 0;     // which of the spec's rotary tables
  bool experts = false;  // its MLP is a mixture of experts
  float attention_scale = 0;  // multiplies every score; 0: the spec's
};

/// The function in an MLP.
enum class Activation { silu, gelu_tanh };

/// x / rms(x) · weight, or (x − mean) / deviation · weight + bias.
enum class Norm { rms, layer };

/// What the norms of q and k look at before the rotation: nothing, every head by itself, or all heads together.
enum class QkNorm { none, head, row };

/// The linear layers of a block. gate, up and down are an MLP's, or one expert's.
enum class Role { q, k, v, o, gate, up, down, router };
inline constexpr Role kRoles[] = {Role::q,    Role::k,  Role::v,    Role::o,
                                  Role::gate, Role::up, Role::down, Role::router};
inline constexpr int kRoleCount = 8;

/// Where a checkpoint keeps its tensors: modules, without ".weight" and below the prefix. "" : there is none.
struct TensorNames {
  std::string embedding = "embed_tokens", positions, final_norm = "norm", blocks = "layers";

  // Inside a block.
  std::string norm_before_attention = "input_layernorm", norm_after_attention;
  std::string norm_before_mlp = "post_attention_layernorm", norm_after_mlp;
  std::string q_norm = "self_attn.q_norm", k_norm = "self_attn.k_norm";
  std::string experts = "mlp.experts";

  /// By role. Roles of one block with the same module share its tensor, their rows one after another.
  std::array<std::string, kRoleCount> modules = {
      "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
      "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj",    "mlp.gate"};

  const std::string& module(Role role) const { return modules[static_cast<size_t>(role)]; }
  std::string& module(Role role) { return modules[static_cast<size_t>(role)]; }
};

/// Everything the forward pass asks about a model, read from config.json by its family. Shared code reads
/// these properties and never a family's name.
struct ModelSpec {
  std::string architecture;  // as config.json spells it, e.g. "Qwen3ForCausalLM"
  std::string family;        // e.g. "qwen3"
  int64_t layers = 0;
  int64_t d_model = 0;
  int64_t d_mlp = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  float norm_eps = 0;
  float attention_scale = 0;
  float embedding_scale = 1;    // embeddings are multiplied by it before block 0
  float attention_softcap = 0;  // a score s becomes cap · tanh(s / cap); 0: none
  float logit_softcap = 0;      // the same for logits
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;       // on gate, up and down
  bool norm_plus_one = false;  // norms multiply by 1 + weight
  bool tied_head = false;      // the unembedding is the embedding
  bool gated_mlp = true;       // down(activation(gate) · up); else down(activation(up))
  bool input_major = false;    // linear weights are stored [in, out]
  Norm norm = Norm::rms;
  QkNorm qk_norm = QkNorm::none;
  Activation activation = Activation::silu;

  int64_t max_positions = 0;      // max_position_embeddings: the longest text it was made for; 0: config.json does not say
  int64_t learned_positions = 0;  // rows of the table of positions that are added to embeddings; 0: none
  std::vector<RotaryTable> rotary;  // empty: no rotation
  std::vector<BlockSpec> blocks;    // [layers]

  // Mixture of experts, in the blocks that have one.
  int64_t experts = 0;
  int64_t experts_per_token = 0;
  int64_t d_expert = 0;
  bool renormalise_experts = false;  // the chosen experts' weights are scaled to a sum of 1

  TensorNames names;
  /// Where the decoder's tensors may stand; the first prefix under which there is an embedding is taken.
  std::vector<std::string> tensor_prefixes = {"model.", ""};
  std::vector<std::string> head_names = {"lm_head"};
  /// Tensors of other parts of a larger model, left unread on purpose.
  std::vector<std::string> foreign_prefixes;
  /// Ends of the names of tensors that old files store although they follow from the config.
  std::vector<std::string> derived_suffixes = {"rotary_emb.inv_freq"};
  /// Keys of config.json that are not understood, and not known to change the maths.
  std::vector<std::string> unknown_config_keys;

  /// Longest text whose activations are those of its prefixes: beyond it a rotary table follows the text's
  /// whole length.
  int64_t prefix_context() const;
};

/// Whether a block has a linear layer of this role outside its experts.
bool has_role(const ModelSpec& spec, const BlockSpec& block, Role role);

/// The module of one expert's gate, up or down, e.g. "mlp.experts.3.up_proj".
std::string expert_module(const ModelSpec& spec, int64_t expert, Role role);

/// [out, in] of a role's weight in this block.
struct LinearShape {
  int64_t out, in;
};
LinearShape linear_shape(const ModelSpec& spec, const BlockSpec& block, Role role);
bool has_bias(const ModelSpec& spec, Role role);

/// Which rows of its module's weight a role has: `first` of `total` on.
struct ModuleRows {
  int64_t first, total;
};
ModuleRows module_rows(const ModelSpec& spec, const BlockSpec& block, Role role);

}  // namespace deltascope
