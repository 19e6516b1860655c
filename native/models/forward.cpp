#include "models/forward.h"

#include <omp.h>

#include <algorithm>
#include <string>

#include "models/layer_weights.h"
#include "ops/activation.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/rotary.h"
#include "ops/tree_attention.h"

namespace deltascope {

/// Buffers of one pass. The wide ones hold one chunk of rows; keys and values hold every node of the tree,
/// for one block of one model at a time.
struct Forward::Scratch {
  LayerWeights weights, own_weights;
  std::vector<float> normed, q, attended, projected, gate, up, low_rank;
  std::vector<float> keys, values;
};

namespace {

/// Rows handled together between two looks at the cancel flag. A multiple of the product's block for each
/// thread keeps all threads busy; more would only widen the scratch.
int64_t rows_per_chunk() { return 384 * 2 * static_cast<int64_t>(omp_get_max_threads()); }

int64_t max_rank(const Model& model) {
  int64_t rank = 0;
  if (model.adapter() == nullptr) return rank;
  for (int64_t layer = 0; layer < model.spec().layers; ++layer) {
    for (const Role role : kRoles) {
      if (const LowRank* update = model.adapter()->find(layer, role)) rank = std::max(rank, update->rank);
    }
  }
  return rank;
}

void resize_for(std::vector<float>& buffer, int64_t values) { buffer.resize(static_cast<size_t>(values)); }

}  // namespace

Forward::Forward(std::vector<const Model*> models)
    : models_(std::move(models)), chunk_rows_(rows_per_chunk()), scratch_(std::make_unique<Scratch>()) {
  const Model& first = *models_.front();
  shares_weights_ = std::all_of(models_.begin(), models_.end(), [&](const Model* model) {
    return model->checkpoint().same_files(first.checkpoint());
  });
}

Forward::~Forward() = default;

int64_t Forward::fixed_bytes() const {
  int64_t bytes = 0, weights = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    const int64_t heads = spec.heads * spec.head_dim;
    // normed, q, attended, projected, gate, up, and a low-rank pair.
    const int64_t row = 2 * spec.d_model + 2 * heads + 2 * spec.d_mlp + max_rank(*model) +
                        std::max({spec.d_model, heads, spec.d_mlp});
    const int64_t block = LayerWeights::bytes(spec);
    weights = shares_weights_ ? block : weights + block;
    bytes = std::max(bytes, chunk_rows_ * row * static_cast<int64_t>(sizeof(float)));
  }
  return bytes + weights;
}

int64_t Forward::bytes_per_node() const {
  int64_t residual = 0, kv = 0;
  for (const Model* model : models_) {
    residual += model->spec().d_model;
    kv = std::max(kv, 2 * model->spec().kv_heads * model->spec().head_dim);
  }
  return (residual + kv) * static_cast<int64_t>(sizeof(float)) + 4 * static_cast<int64_t>(sizeof(int32_t));
}

void embed(const Model& model, const PrefixTree& tree, float* out) {
  const int64_t width = model.spec().d_model;
  const float scale = model.spec().embedding_scale;
  const TensorInfo& table = model.embedding();
  bool ok = true;
#pragma omp parallel reduction(&& : ok)
  {
    const auto row_bytes = static_cast<size_t>(width * size_of(table.dtype));
    std::vector<uint8_t> raw(row_bytes);
#pragma omp for schedule(static)
    for (int64_t node = 0; node < tree.nodes(); ++node) {
      const auto row = static_cast<size_t>(tree.token[static_cast<size_t>(node)]);
      float* x = out + node * width;
      ok = ok && model.checkpoint().read(table, row * row_bytes, row_bytes, raw.data());
      convert_to_f32(raw, table.dtype, x, width);
      if (scale != 1.0f) {
        for (int64_t j = 0; j < width; ++j) x[j] *= scale;
      }
    }
  }
  if (!ok) throw Error(Code::file_changed, "the embedding cannot be read to its end any more");
}

/// y = W x + bias + scale · B (A x), over dense rows.
void Forward::linear(const Model& model, const LayerWeights& weights, int64_t layer, Role role,
                     const float* x, float* y, int64_t rows) {
  const auto [out, in] = linear_shape(model.spec(), role);
  matmul(x, in, weights.weight(role), y, out, rows, in, out);
  if (const float* bias = weights.bias(role)) add_bias(y, out, bias, rows, out);
  const LowRank* update = model.adapter() == nullptr ? nullptr : model.adapter()->find(layer, role);
  if (update == nullptr) return;
  resize_for(scratch_->low_rank, rows * (update->rank + out));
  float *inner = scratch_->low_rank.data(), *outer = inner + rows * update->rank;
  matmul(x, in, update->a.data(), inner, update->rank, rows, in, update->rank);
  matmul(inner, update->rank, update->b.data(), outer, out, rows, update->rank, out);
  add_scaled(y, out, outer, out, update->scale, rows, out);
}

void Forward::run_block(const Model& model, const LayerWeights& weights, int64_t layer,
                        const PrefixTree& tree, float* residual, Job& job) {
  const ModelSpec& spec = model.spec();
  Scratch& s = *scratch_;
  const int64_t d = spec.d_model, q_width = spec.heads * spec.head_dim,
                kv_width = spec.kv_heads * spec.head_dim;
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const std::vector<float>& rotary = spec.rotary[own.rotary];
  const AttentionShape shape = {spec.heads,           spec.kv_heads,          spec.head_dim,
                                spec.attention_scale, spec.attention_softcap, own.window};
  const int64_t chunk = std::min(chunk_rows_, tree.nodes());
  resize_for(s.normed, chunk * d);
  resize_for(s.q, chunk * q_width);
  resize_for(s.attended, chunk * q_width);
  resize_for(s.projected, chunk * d);
  resize_for(s.gate, chunk * spec.d_mlp);
  resize_for(s.up, chunk * spec.d_mlp);
  resize_for(s.keys, tree.nodes() * kv_width);
  resize_for(s.values, tree.nodes() * kv_width);

  // Ancestors stand before their descendants, so a chunk finds all the keys it needs computed.
  for (int64_t first = 0; first < tree.nodes(); first += chunk) {
    job.throw_if_cancelled();
    const int64_t rows = std::min(chunk, tree.nodes() - first);
    const auto positions =
        std::span(tree.position).subspan(static_cast<size_t>(first), static_cast<size_t>(rows));
    float *x = residual + first * d, *k = s.keys.data() + first * kv_width,
          *v = s.values.data() + first * kv_width;

    const auto add_to_residual = [&](const float* norm) {
      float* y = s.projected.data();
      if (norm != nullptr) rms_norm(y, d, norm, spec.norm_eps, y, d, rows, d);
      add(x, d, y, d, rows, d);
    };

    rms_norm(x, d, weights.norm_before_attention(), spec.norm_eps, s.normed.data(), d, rows, d);
    linear(model, weights, layer, Role::q, s.normed.data(), s.q.data(), rows);
    linear(model, weights, layer, Role::k, s.normed.data(), k, rows);
    linear(model, weights, layer, Role::v, s.normed.data(), v, rows);
    if (spec.qk_norm) {
      rms_norm(s.q.data(), spec.head_dim, weights.q_norm(), spec.norm_eps, s.q.data(), spec.head_dim,
               rows * spec.heads, spec.head_dim);
      rms_norm(k, spec.head_dim, weights.k_norm(), spec.norm_eps, k, spec.head_dim, rows * spec.kv_heads,
               spec.head_dim);
    }
    apply_rotary(s.q.data(), q_width, positions, spec.heads, spec.head_dim, rotary);
    apply_rotary(k, kv_width, positions, spec.kv_heads, spec.head_dim, rotary);
    tree_attention(s.q.data(), s.keys.data(), s.values.data(), s.attended.data(), tree.parent, first, rows,
                   shape);
    linear(model, weights, layer, Role::o, s.attended.data(), s.projected.data(), rows);
    add_to_residual(weights.norm_after_attention());

    job.throw_if_cancelled();
    rms_norm(x, d, weights.norm_before_mlp(), spec.norm_eps, s.normed.data(), d, rows, d);
    linear(model, weights, layer, Role::gate, s.normed.data(), s.gate.data(), rows);
    linear(model, weights, layer, Role::up, s.normed.data(), s.up.data(), rows);
    if (spec.activation == Activation::gelu_tanh) {
      gelu_tanh_gate(s.gate.data(), s.up.data(), rows * spec.d_mlp);
    } else {
      silu_gate(s.gate.data(), s.up.data(), rows * spec.d_mlp);
    }
    linear(model, weights, layer, Role::down, s.gate.data(), s.projected.data(), rows);
    add_to_residual(weights.norm_after_mlp());
  }
}

void Forward::run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe,
                  Job& job, const std::function<void(int64_t nodes)>& on_nodes_done) {
  std::vector<std::vector<float>> residuals;
  std::vector<const float*> views;
  for (const Model* model : models_) {
    residuals.emplace_back(static_cast<size_t>(tree.nodes() * model->spec().d_model));
    views.push_back(residuals.back().data());
    model->checkpoint().require_unchanged();
    embed(*model, tree, residuals.back().data());
  }
  size_t next = 0;
  for (int64_t layer = 0; next < layers.size(); ++layer) {
    for (size_t m = 0; m < models_.size(); ++m) {
      LayerWeights& weights = m == 0 || shares_weights_ ? scratch_->weights : scratch_->own_weights;
      if (m == 0 || !shares_weights_) {
        job.throw_if_cancelled();
        weights.load(*models_[m], layer);
        if (layer < layers.back()) prefetch_layer(*models_[m], layer + 1);
      }
      run_block(*models_[m], weights, layer, tree, residuals[m].data(), job);
      if (on_nodes_done) on_nodes_done(tree.nodes());
    }
    if (layers[next] == layer) {
      observe(layer, views);
      ++next;
    }
  }
  for (const Model* model : models_) model->checkpoint().require_unchanged();
}

}  // namespace deltascope
