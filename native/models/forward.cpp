#include "models/forward.h"

#include <omp.h>

#include <algorithm>
#include <string>

#include "models/block_math.h"
#include "models/layer_weights.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/tree_attention.h"

namespace deltascope {

/// Buffers of one pass. The wide ones hold one chunk of rows; keys and values hold every node of the tree,
/// for one block of one model at a time.
struct Forward::Scratch {
  LayerWeights weights;  // of the block and model at work
  ExpertWeights expert;
  std::vector<std::vector<float>> residuals;              // [models]
  std::vector<std::vector<RotaryAngles>> angles;          // [models][rotary tables]
  BlockScratch block;
  std::vector<float> low_rank;
  std::vector<float> keys, values;
};

struct Forward::Block {
  const Model& model;
  const LayerWeights& weights;
  const std::vector<RotaryAngles>& angles;
  int64_t layer;
  const PrefixTree& tree;
  Job& job;
  NotFinite& not_finite;  // grows by what is met in experts
  const Pass& pass;

  const ModelSpec& spec() const { return model.spec(); }
  const BlockSpec& own() const { return spec().blocks[static_cast<size_t>(layer)]; }
  void report(int64_t nodes) const {
    if (pass.on_nodes_done) pass.on_nodes_done(nodes);
  }
  const LowRank* update(Role role, int64_t expert = -1) const {
    return model.adapter() == nullptr ? nullptr : model.adapter()->find(layer, role, expert);
  }
};

namespace {

/// Rows handled together. A multiple of the product's block for each thread keeps all threads busy; more would only
/// widen the scratch.
int64_t rows_per_chunk() { return 384 * static_cast<int64_t>(omp_get_max_threads()); }

/// The blocks that a group of models has in common: all below the first one an adapter touches.
int64_t count_joined(const std::vector<const Model*>& models) {
  int64_t layers = models.front()->spec().layers;
  for (const Model* model : models) {
    const Adapter* adapter = model->adapter();
    if (adapter == nullptr) continue;
    layers = std::min(layers, adapter->first_layer());
    const Weight& embedding = model->embedding();
    if (adapter->embedding() != nullptr || embedding.file != &model->checkpoint()) layers = 0;
    if (model->positions() && model->positions().file != &model->checkpoint()) layers = 0;
  }
  return layers;
}

}  // namespace

Forward::Forward(std::vector<const Model*> models)
    : models_(std::move(models)), chunk_rows_(rows_per_chunk()), scratch_(std::make_unique<Scratch>()) {
  const Model& first = *models_.front();
  shares_weights_ = std::all_of(models_.begin(), models_.end(),
                                [&](const Model* model) { return model->shares_blocks(first); });
  // Files may be shared and configs not (links): only one and the same folder is computed as one.
  const bool same_folder =
      std::all_of(models_.begin(), models_.end(), [&](const Model* model) {
        return model->checkpoint().path() == first.checkpoint().path();
      });
  joined_layers_ = models_.size() > 1 && shares_weights_ && same_folder ? count_joined(models_) : 0;
}

Forward::~Forward() = default;

int64_t Forward::fixed_bytes() const {
  int64_t scratch = 0, weights = 0, experts = 0, widest = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    const int64_t heads = spec.heads * spec.head_dim, wide = std::max(spec.d_mlp, spec.d_expert);
    const int64_t rank = model->adapter() == nullptr ? 0 : model->adapter()->max_rank();
    // normed, q, attended, projected, gate, up, a low-rank pair, and the product's own copy of its input.
    int64_t row = 2 * spec.d_model + 2 * heads + 2 * wide + (rank == 0 ? 0 : rank + std::max({spec.d_model, heads, wide})) +
                  std::max({spec.d_model, heads, wide});
    if (spec.experts > 0) row += spec.experts + spec.d_model;
    widest = std::max({widest, spec.d_model, heads, wide});
    weights = std::max(weights, LayerWeights::bytes(*model));
    experts = std::max(experts, ExpertWeights::bytes(*model));
    scratch = std::max(scratch, chunk_rows_ * row * static_cast<int64_t>(sizeof(float)));
  }
  // Each thread has a piece of 32 rows of the weights that are being read, and what oneDNN packs a product's sides into.
  constexpr int64_t kPackedSides = (192 + 512) * 384;
  const int64_t thread = (32 * widest + kPackedSides) * static_cast<int64_t>(sizeof(float));
  return scratch + weights + experts + thread * omp_get_max_threads();
}

int64_t Forward::bytes_per_node() const {
  int64_t residual = 0, kv = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    residual += spec.d_model;
    int64_t own = 2 * spec.kv_heads * spec.head_dim;
    if (spec.experts > 0) own += 2 * spec.d_model + 4 * spec.experts_per_token;
    kv = std::max(kv, own);
  }
  // The tree itself, and the counts of embed.
  return (residual + kv) * static_cast<int64_t>(sizeof(float)) + 6 * static_cast<int64_t>(sizeof(int32_t));
}

int64_t NotFinite::total() const {
  int64_t sum = 0;
  for (const auto& entry : rows) sum += entry.second;
  for (const auto& entry : blocks) sum += entry.second;
  for (const auto& entry : experts) sum += entry.second;
  return sum;
}

void embed(const Model& model, const PrefixTree& tree, float* out, NotFinite& not_finite, const Job& job) {
  const ModelSpec& spec = model.spec();
  const int64_t width = spec.d_model;
  const EmbeddingUpdate* update = model.adapter() == nullptr ? nullptr : model.adapter()->embedding();
  const auto row_bytes = [&](const Weight& table) { return width * size_of(table.tensor->dtype); };
  const int64_t scratch_bytes = std::max(row_bytes(model.embedding()), model.positions() ? row_bytes(model.positions()) : 0);
  std::vector<uint8_t> raw(static_cast<size_t>(scratch_bytes * omp_get_max_threads()));
  std::vector<float> second(static_cast<size_t>(width * omp_get_max_threads()));
  bool ok = true;
  std::vector<int32_t> spoiled(static_cast<size_t>(2 * tree.nodes()));  // values of the token's row, of the position's
#pragma omp parallel for schedule(static) reduction(&& : ok)
  for (int64_t node = 0; node < tree.nodes(); ++node) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    uint8_t* bytes = raw.data() + scratch_bytes * omp_get_thread_num();
    const auto gather = [&](const Weight& table, int32_t row, float* to, size_t which) {
      const auto length = static_cast<size_t>(row_bytes(table));
      if (!table.file->read(*table.tensor, static_cast<size_t>(row) * length, length, bytes)) return false;
      convert_to_f32({bytes, length}, table.tensor->dtype, to, width);
      spoiled[static_cast<size_t>(2 * node) + which] = static_cast<int32_t>(count_not_finite(to, width));
      return true;
    };
    const int32_t token = tree.token[static_cast<size_t>(node)];
    float* x = out + node * width;
    ok = gather(model.embedding(), token, x, 0) && ok;
    if (update != nullptr) {
      const float* a = &update->a[static_cast<size_t>(token * update->rank)];
      for (int64_t j = 0; j < width; ++j) {
        float sum = 0;
        for (int64_t i = 0; i < update->rank; ++i) sum += a[i] * update->b[static_cast<size_t>(j * update->rank + i)];
        x[j] += update->scale * sum;
      }
    }
    if (spec.embedding_scale != 1.0f) {
      for (int64_t j = 0; j < width; ++j) x[j] *= spec.embedding_scale;
    }
    if (model.positions()) {
      float* position = second.data() + width * omp_get_thread_num();
      ok = gather(model.positions(), tree.position[static_cast<size_t>(node)], position, 1) && ok;
      for (int64_t j = 0; j < width; ++j) x[j] += position[j];
    }
  }
  job.throw_if_cancelled();
  if (!ok) {
    model.require_unchanged();
    throw Error(Code::file_unreadable, "the embedding cannot be read to its end");
  }
  for (size_t node = 0; node < tree.token.size(); ++node) {
    if (spoiled[2 * node] > 0) not_finite.rows[tree.token[node]] = spoiled[2 * node];
    if (spoiled[2 * node + 1] > 0) not_finite.rows[-1 - int64_t{tree.position[node]}] = spoiled[2 * node + 1];
  }
}

/// y += scale · B (A x).
void Forward::add_low_rank(const LowRank* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out,
                           const Job& job) {
  if (update == nullptr) return;
  resize_for(scratch_->low_rank, rows * (update->rank + out));
  float *inner = scratch_->low_rank.data(), *outer = inner + rows * update->rank;
  matmul(x, in, update->a, inner, update->rank, rows, job);
  matmul(inner, update->rank, update->b, outer, out, rows, job);
  add_scaled(y, out, outer, out, update->scale, rows, out);
}

/// A block's products by `matmul`, and attention over the tree. The rows at work are first, first + 1, ….
class Forward::TreeSteps final : public BlockSteps {
 public:
  TreeSteps(Forward& forward, const Block& block) : forward_(forward), block_(block) {}

  int64_t first = 0;

  void linear(Role role, const float* x, float* y, int64_t rows) override {
    const auto [out, in] = linear_shape(block_.spec(), block_.own(), role);
    const LinearValues& values = block_.weights.linear(role);
    matmul(x, in, values.weight, y, out, rows, block_.job);
    if (!values.bias.empty()) add_bias(y, out, values.bias.data(), rows, out);
    forward_.add_low_rank(block_.update(role), x, y, rows, in, out, block_.job);
  }

  void look_back(const float* q, float* out, int64_t rows) override {
    const Scratch& s = *forward_.scratch_;
    tree_attention(q, s.keys.data(), s.values.data(), out, block_.tree.parent, first, rows,
                   attention_shape(block_.spec(), block_.own()), block_.job);
  }

  void begin_expert(int64_t expert) override {
    ExpertWeights& weights = forward_.scratch_->expert;
    weights.load(block_.model, block_.layer, expert);
    if (weights.not_finite() > 0) block_.not_finite.experts[{block_.layer, expert}] = weights.not_finite();
  }

  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) override {
    const auto [out, in] = linear_shape(block_.spec(), block_.own(), role);
    matmul(x, in, forward_.scratch_->expert.weight(role), y, out, rows, block_.job);
    forward_.add_low_rank(block_.update(role, expert), x, y, rows, in, out, block_.job);
    if (role != Role::down) return;
    shares_ += rows;
    const int64_t nodes = shares_ / block_.spec().experts_per_token;
    block_.report(nodes - reported_);
    reported_ = nodes;
  }

 private:
  Forward& forward_;
  const Block& block_;
  int64_t shares_ = 0, reported_ = 0;  // rows that experts are done with; nodes told of
};

void Forward::run_block(const Block& block, float* residual) {
  const ModelSpec& spec = block.spec();
  Scratch& s = *scratch_;
  const int64_t d = spec.d_model, nodes = block.tree.nodes(), kv_width = spec.kv_heads * spec.head_dim;
  const int64_t chunk = std::min(chunk_rows_, nodes);
  resize_for(s.keys, nodes * kv_width);
  resize_for(s.values, nodes * kv_width);
  TreeSteps steps(*this, block);
  const BlockMath math = {spec, block.own(), block.weights.norms, block.angles, steps, s.block, block.job};

  // Ancestors stand before their descendants, so a chunk finds all the keys it needs computed.
  for (int64_t first = 0; first < nodes; first += chunk) {
    const int64_t rows = std::min(chunk, nodes - first);
    float* x = residual + first * d;
    steps.first = first;
    const auto positions =
        std::span(block.tree.position).subspan(static_cast<size_t>(first), static_cast<size_t>(rows));
    math.add_attention(positions, s.keys.data() + first * kv_width, s.values.data() + first * kv_width, rows, x);
    if (block.own().experts) continue;
    math.add_mlp(rows, x);
    block.report(rows);
  }
  if (block.own().experts) math.add_experts(nodes, chunk, residual);
}

void Forward::run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe,
                  Job& job, const Pass& pass) {
  Scratch& s = *scratch_;
  s.residuals.resize(models_.size());
  s.angles.assign(models_.size(), {});
  not_finite_.resize(models_.size());
  const int64_t positions =
      tree.nodes() == 0 ? 0 : 1 + *std::max_element(tree.position.begin(), tree.position.end());
  // Residuals that are handed in differ in ways that only the caller knows.
  const int64_t joined = pass.first_layer == 0 ? joined_layers_ : 0;
  std::vector<const float*> views;
  for (size_t m = 0; m < models_.size(); ++m) {
    const ModelSpec& spec = models_[m]->spec();
    models_[m]->require_unchanged();
    resize_for(s.residuals[m], tree.nodes() * spec.d_model);
    std::vector<float> dynamic;
    for (const RotaryTable& table : spec.rotary)
      s.angles[m].emplace_back(table.for_length(tree.length, dynamic), table.scale, positions);
    if (pass.first_layer == 0) {
      embed(*models_[m], tree, s.residuals[m].data(), not_finite_[m], job);
    } else {
      std::copy_n(pass.residuals[m], tree.nodes() * spec.d_model, s.residuals[m].data());
    }
    views.push_back(s.residuals[joined > 0 ? 0 : m].data());
  }
  size_t next = 0;
  for (int64_t layer = pass.first_layer; next < layers.size(); ++layer) {
    if (layer == joined && layer > 0) {  // from here on they differ
      for (size_t m = 1; m < models_.size(); ++m) {
        s.residuals[m] = s.residuals[0];
        views[m] = s.residuals[m].data();
      }
    }
    for (size_t m = 0; m < models_.size(); ++m) {
      if (m == 0 || !shares_weights_) {
        job.throw_if_cancelled();
        s.weights.load(*models_[m], layer);
        // What comes next is read while this block computes.
        if (m + 1 < models_.size() && !shares_weights_) {
          prefetch_layer(*models_[m + 1], layer);
        } else if (layer < layers.back()) {
          prefetch_layer(*models_.front(), layer + 1);
        }
      }
      if (s.weights.not_finite() > 0) not_finite_[m].blocks[layer] = s.weights.not_finite();
      if (m == 0 || layer >= joined) {
        run_block({*models_[m], s.weights, s.angles[m], layer, tree, job, not_finite_[m], pass}, s.residuals[m].data());
      } else {
        if (pass.on_nodes_done) pass.on_nodes_done(tree.nodes());
        not_finite_[m].experts = not_finite_[0].experts;  // computed as one so far
      }
      if (pass.on_keys_values) pass.on_keys_values(layer, m, s.keys.data(), s.values.data());
    }
    if (layers[next] == layer) {
      observe(layer, views);
      ++next;
    }
  }
  for (const Model* model : models_) model->require_unchanged();
}

}  // namespace deltascope
