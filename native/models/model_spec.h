#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace deltascope {

/// One decoder block's own settings.
struct BlockSpec {
  int64_t window = 0;  // attention window in tokens; 0: unlimited
};

/// Everything the forward pass asks about a model, read from config.json by its family. Shared code reads
/// these properties and never a family's name.
struct ModelSpec {
  std::string architecture;    // as config.json spells it, e.g. "Qwen3ForCausalLM"
  std::string family;          // e.g. "qwen3"
  std::string declared_dtype;  // torch name from config.json, "" when it has none
  int64_t layers = 0;
  int64_t d_model = 0;
  int64_t d_mlp = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  float norm_eps = 0;
  float attention_scale = 0;
  bool attention_bias = false;    // on q, k, v and o
  bool mlp_bias = false;          // on gate, up and down
  bool qk_norm = false;           // RMS norm of every head of q and k before the rotation
  bool tied_head = false;         // the unembedding is the embedding
  std::vector<float> rotary;      // frequencies, [head_dim / 2]
  std::vector<BlockSpec> blocks;  // [layers]
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
