#include "models/layer_weights.h"

#include <algorithm>

namespace deltascope {
namespace {

int64_t read_vector(const Weight& weight, int64_t first, int64_t count, std::vector<float>& out) {
  if (!weight) {
    out.clear();
    return 0;
  }
  out.resize(static_cast<size_t>(count));
  return read_weights(weight, first, count, out.data());
}

}  // namespace

NormValues read_norm(const NormWeight& norm, bool plus_one, int64_t& not_finite) {
  NormValues values;
  if (!norm) return values;
  not_finite += read_vector(norm.weight, 0, norm.weight.tensor->elements(), values.gamma);
  if (norm.bias) not_finite += read_vector(norm.bias, 0, norm.bias.tensor->elements(), values.beta);
  if (plus_one) {
    for (float& factor : values.gamma) factor += 1.0f;
  }
  return values;
}

void BlockNorms::load(const Model& model, int64_t layer, int64_t& not_finite) {
  const Model::BlockTensors& block = model.block(layer);
  const auto norm = [&](const NormWeight& weight) { return read_norm(weight, model.spec().norm_plus_one, not_finite); };
  before_attention = norm(block.norm_before_attention);
  after_attention = norm(block.norm_after_attention);
  before_mlp = norm(block.norm_before_mlp);
  after_mlp = norm(block.norm_after_mlp);
  q = norm(block.q_norm);
  k = norm(block.k_norm);
}

void LayerWeights::load(const Model& model, int64_t layer) {
  model.require_unchanged();
  const ModelSpec& spec = model.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const Model::BlockTensors& block = model.block(layer);
  not_finite_ = 0;
  norms.load(model, layer, not_finite_);
  for (const Role role : kRoles) {
    LinearValues& values = linear_[static_cast<size_t>(role)];
    const LinearWeight& linear = block.linear[static_cast<size_t>(role)];
    if (!linear.weight) {
      values = {};
      continue;
    }
    const auto [out, in] = linear_shape(spec, own, role);
    not_finite_ += read_linear(linear, out, in, spec.input_major, model.precision(), values.weight);
    not_finite_ += read_vector(linear.bias, linear.first_row, out, values.bias);
  }
}

int64_t LayerWeights::bytes(const Model& model) {
  const ModelSpec& spec = model.spec();
  int64_t most = 0;
  for (const BlockSpec& block : spec.blocks) {
    int64_t bytes = (8 * spec.d_model + 2 * (spec.heads + spec.kv_heads) * spec.head_dim) * 4;
    for (const Role role : kRoles) {
      if (!has_role(spec, block, role)) continue;
      const auto [out, in] = linear_shape(spec, block, role);
      bytes += PackedMatrix::bytes(out, in, model.precision()) + out * 4;
    }
    most = std::max(most, bytes);
  }
  return most;
}

void ExpertWeights::load(const Model& model, int64_t layer, int64_t expert) {
  const ModelSpec& spec = model.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  not_finite_ = 0;
  for (const Role role : {Role::gate, Role::up, Role::down}) {
    const auto [out, in] = linear_shape(spec, own, role);
    not_finite_ += read_linear(model.expert(layer, expert, role), out, in, spec.input_major, model.precision(),
                               weight_[static_cast<size_t>(role)]);
  }
}

int64_t ExpertWeights::bytes(const Model& model) {
  const ModelSpec& spec = model.spec();
  return spec.experts == 0 ? 0 : 3 * PackedMatrix::bytes(spec.d_expert, spec.d_model, model.precision());
}

void prefetch_layer(const Model& model, int64_t layer) {
  if (layer >= model.spec().layers) return;
  const auto prefetch = [](const LinearWeight& linear) {
    if (linear.weight) linear.weight.file->prefetch(*linear.weight.tensor);
  };
  for (const LinearWeight& linear : model.block(layer).linear) prefetch(linear);
  for (const auto& expert : model.block(layer).experts) {
    for (const LinearWeight& linear : expert) prefetch(linear);
  }
}

}  // namespace deltascope
