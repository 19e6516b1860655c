#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace deltascope {

/// One decoder block's own settings.
struct BlockSpec {
  int64_t window = 0;  // attention window in tokens; 0: unlimited
  size_t rotary = 0;   // which of the spec's rotary tables
};

/// The function on the gate of a gated MLP.
enum class Activation { silu, gelu_tanh };

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
  bool mlp_bias = false;        // on gate, up and down
  bool qk_norm = false;         // RMS norm of every head of q and k before the rotation
  bool norm_plus_one = false;   // norms multiply by 1 + weight
  bool sandwich_norms = false;  // the outputs of attention and MLP are normalised too, before they are added
  bool tied_head = false;       // the unembedding is the embedding
  Activation activation = Activation::silu;
  std::vector<std::vector<float>> rotary;  // tables of frequencies, [head_dim / 2] each
  std::vector<BlockSpec> blocks;           // [layers]

  /// Where the decoder's tensors may stand; the first prefix under which there is an embedding is taken.
  std::vector<std::string> tensor_prefixes = {"model."};
  std::vector<std::string> head_names = {"lm_head.weight"};
  /// Tensors of other parts of a larger model, left unread on purpose.
  std::vector<std::string> foreign_prefixes;
  std::vector<std::string>
      unknown_config_keys;  // in config.json, not understood, not known to change the maths
};

/// The linear layers of a block.
enum class Role { q, k, v, o, gate, up, down };
inline constexpr Role kRoles[] = {Role::q, Role::k, Role::v, Role::o, Role::gate, Role::up, Role::down};
inline constexpr int kRoleCount = 7;

/// The module's name inside a block, e.g. "self_attn.q_proj".
const char* module_path(Role role);

/// [out, in] of a role's weight.
struct LinearShape {
  int64_t out, in;
};
LinearShape linear_shape(const ModelSpec& spec, Role role);
bool has_bias(const ModelSpec& spec, Role role);

}  // namespace deltascope
