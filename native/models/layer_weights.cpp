#include "models/layer_weights.h"

#include "models/read_weights.h"

namespace deltascope {
namespace {

void widen(const Checkpoint& checkpoint, const TensorInfo* tensor, std::vector<float>& out) {
  if (tensor == nullptr) {
    out.clear();
    return;
  }
  out.resize(static_cast<size_t>(tensor->elements()));
  read_weights(checkpoint, *tensor, 0, tensor->elements(), out.data());
}

}  // namespace

std::vector<float> norm_factors(const Model& model, const TensorInfo* weight) {
  std::vector<float> factors;
  widen(model.checkpoint(), weight, factors);
  if (model.spec().norm_plus_one) {
    for (float& factor : factors) factor += 1.0f;
  }
  return factors;
}

void LayerWeights::load(const Model& model, int64_t layer) {
  const Checkpoint& checkpoint = model.checkpoint();
  checkpoint.require_unchanged();
  const Model::BlockTensors& block = model.block(layer);
  norm_before_attention_ = norm_factors(model, block.norm_before_attention);
  norm_after_attention_ = norm_factors(model, block.norm_after_attention);
  norm_before_mlp_ = norm_factors(model, block.norm_before_mlp);
  norm_after_mlp_ = norm_factors(model, block.norm_after_mlp);
  q_norm_ = norm_factors(model, block.q_norm);
  k_norm_ = norm_factors(model, block.k_norm);
  for (size_t role = 0; role < kRoleCount; ++role) {
    widen(checkpoint, block.weight[role], weight_[role]);
    widen(checkpoint, block.bias[role], bias_[role]);
  }
}

int64_t LayerWeights::bytes(const ModelSpec& spec) {
  int64_t values = 4 * spec.d_model + 2 * spec.head_dim;
  for (const Role role : kRoles) {
    const auto [out, in] = linear_shape(spec, role);
    values += out * in + out;
  }
  return values * static_cast<int64_t>(sizeof(float));
}

void prefetch_layer(const Model& model, int64_t layer) {
  if (layer >= model.spec().layers) return;
  const Model::BlockTensors& block = model.block(layer);
  for (const TensorInfo* weight : block.weight) model.checkpoint().prefetch(*weight);
}

}  // namespace deltascope
