#include "models/layer_weights.h"

#include "ops/convert.h"

namespace deltascope {
namespace {

void widen(const Checkpoint& checkpoint, const TensorInfo* tensor, std::vector<float>& out) {
  if (tensor == nullptr) {
    out.clear();
    return;
  }
  out.resize(static_cast<size_t>(tensor->elements()));
  convert_to_f32(checkpoint.bytes(*tensor), tensor->dtype, out.data(), tensor->elements());
}

}  // namespace

void LayerWeights::load(const Model& model, int64_t layer) {
  const Checkpoint& checkpoint = model.checkpoint();
  checkpoint.require_unchanged();
  const Model::BlockTensors& block = model.block(layer);
  widen(checkpoint, block.input_norm, input_norm_);
  widen(checkpoint, block.post_attention_norm, post_attention_norm_);
  widen(checkpoint, block.q_norm, q_norm_);
  widen(checkpoint, block.k_norm, k_norm_);
  for (size_t role = 0; role < kRoleCount; ++role) {
    widen(checkpoint, block.weight[role], weight_[role]);
    widen(checkpoint, block.bias[role], bias_[role]);
  }
}

int64_t LayerWeights::bytes(const ModelSpec& spec) {
  int64_t values = 2 * spec.d_model + 2 * spec.head_dim;
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
