#include "models/model_spec.h"

#include <algorithm>

namespace deltascope {

int64_t ModelSpec::prefix_context() const {
  int64_t context = INT64_MAX;
  for (const RotaryTable& table : rotary) context = std::min(context, table.context);
  return context;
}

bool has_role(const ModelSpec& spec, const BlockSpec& block, Role role) {
  switch (role) {
    case Role::gate:
      return spec.gated_mlp && !block.experts;
    case Role::up:
    case Role::down:
      return !block.experts;
    case Role::router:
      return block.experts;
    default:
      return true;
  }
}

std::string expert_module(const ModelSpec& spec, int64_t expert, Role role) {
  const std::string& dense = spec.names.module(role);
  return spec.names.experts + "." + std::to_string(expert) + dense.substr(dense.rfind('.'));
}

LinearShape linear_shape(const ModelSpec& spec, const BlockSpec& block, Role role) {
  const int64_t d_mlp = block.experts ? spec.d_expert : spec.d_mlp;
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
      return {d_mlp, spec.d_model};
    case Role::down:
      return {spec.d_model, d_mlp};
    case Role::router:
      return {spec.experts, spec.d_model};
  }
  return {0, 0};
}

bool has_bias(const ModelSpec& spec, Role role) {
  switch (role) {
    case Role::q:
    case Role::k:
    case Role::v:
      return spec.qkv_bias;
    case Role::o:
      return spec.o_bias;
    case Role::router:
      return false;
    default:
      return spec.mlp_bias;
  }
}

ModuleRows module_rows(const ModelSpec& spec, const BlockSpec& block, Role role) {
  ModuleRows rows{0, 0};
  for (const Role other : kRoles) {
    if (!has_role(spec, block, other) || spec.names.module(other) != spec.names.module(role)) continue;
    const int64_t out = linear_shape(spec, block, other).out;
    if (other < role) rows.first += out;
    rows.total += out;
  }
  return rows;
}

}  // namespace deltascope
