#include "models/model_spec.h"

namespace deltascope {

const char* module_path(Role role) {
  switch (role) {
    case Role::q:
      return "self_attn.q_proj";
    case Role::k:
      return "self_attn.k_proj";
    case Role::v:
      return "self_attn.v_proj";
    case Role::o:
      return "self_attn.o_proj";
    case Role::gate:
      return "mlp.gate_proj";
    case Role::up:
      return "mlp.up_proj";
    case Role::down:
      return "mlp.down_proj";
  }
  return "";
}

LinearShape linear_shape(const ModelSpec& spec, Role role) {
  switch (role) {
    case Role::q:
      return {spec.heads * spec.head_dim, spec.d_model};
    case Role::k:
    case Role::v:
      return {spec.kv_heads * spec.head_dim, spec.d_model};
    case Role::o:
      return {spec.d_model, spec.heads * spec.head_dim};
    case Role::gate:
    case Role::up:
      return {spec.d_mlp, spec.d_model};
    case Role::down:
      return {spec.d_model, spec.d_mlp};
  }
  return {0, 0};
}

bool has_bias(const ModelSpec& spec, Role role) {
  if (role == Role::gate || role == Role::up || role == Role::down) return spec.mlp_bias;
  return role == Role::o ? spec.o_bias : spec.qkv_bias;
}

}  // namespace deltascope
