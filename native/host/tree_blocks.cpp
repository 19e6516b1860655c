#include "host/tree_blocks.h"

#include <omp.h>

#include <algorithm>

#include "diff/moments.h"
#include "host/block_steps.h"
#include "models/layer_weights.h"
#include "models/model.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/tree_attention.h"

namespace deltascope {
namespace {

/// Rows handled together. A multiple of the product's block for each thread keeps all threads busy; more would only
/// widen the scratch.
int64_t rows_per_chunk() { return 384 * static_cast<int64_t>(omp_get_max_threads()); }

}  // namespace

HostTreeBlocks::HostTreeBlocks(std::vector<const Model*> models)
    : models_(std::move(models)), chunk_rows_(rows_per_chunk()), residuals_(models_.size()), angles_(models_.size()) {}

int64_t HostTreeBlocks::fixed_bytes() const {
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

int64_t HostTreeBlocks::bytes_per_node(int64_t) const {
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

int64_t HostTreeBlocks::default_budget() const { return int64_t{1} << 30; }

void HostTreeBlocks::begin(const PrefixTree& tree) {
  tree_ = &tree;
  const int64_t positions =
      tree.nodes() == 0 ? 0 : 1 + *std::max_element(tree.position.begin(), tree.position.end());
  for (size_t m = 0; m < models_.size(); ++m) {
    const ModelSpec& spec = models_[m]->spec();
    resize_for(residuals_[m], tree.nodes() * spec.d_model);
    angles_[m].clear();
    std::vector<float> dynamic;
    for (const RotaryTable& table : spec.rotary)
      angles_[m].emplace_back(table.for_length(tree.length, dynamic), table.scale, positions);
  }
}

int64_t HostTreeBlocks::load(size_t model, int64_t layer, const Job&) {
  weights_.load(*models_[model], layer);
  return weights_.not_finite();
}

/// y += scale · B (A x).
void HostTreeBlocks::add_low_rank(const LowRank* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out,
                           const Job& job) {
  if (update == nullptr) return;
  resize_for(low_rank_, rows * (update->rank + out));
  float *inner = low_rank_.data(), *outer = inner + rows * update->rank;
  matmul(x, in, update->a, inner, update->rank, rows, job);
  matmul(inner, update->rank, update->b, outer, out, rows, job);
  add_scaled(y, out, outer, out, update->scale, rows, out);
}

/// A block's products by `matmul`, and attention over the tree. The rows at work are first, first + 1, ….
class HostTreeBlocks::Steps final : public HostSteps {
 public:
  Steps(HostTreeBlocks& blocks, size_t model, int64_t layer, NotFinite& not_finite, const Job& job,
        const std::function<void(int64_t nodes)>& report)
      : HostSteps(blocks.models_[model]->spec(), blocks.models_[model]->spec().blocks[static_cast<size_t>(layer)],
                  blocks.weights_.norms, blocks.angles_[model], blocks.slots_),
        blocks_(blocks),
        model_(*blocks.models_[model]),
        layer_(layer),
        not_finite_(not_finite),
        job_(job),
        report_(report) {}

  int64_t first = 0;

  using BlockSteps::linear;
  void linear(const float* x, std::span<const Product> products, int64_t rows) override {
    for (const auto& [role, y] : products) {
      const auto [out, in] = linear_shape(spec_, own_, role);
      const LinearValues& values = blocks_.weights_.linear(role);
      matmul(x, in, values.weight, y, out, rows, job_);
      if (!values.bias.empty()) add_bias(y, out, values.bias.data(), rows, out);
      blocks_.add_low_rank(update(role), x, y, rows, in, out, job_);
    }
  }

  void look_back(const float* q, float* out, int64_t rows) override {
    tree_attention(q, blocks_.keys_.data(), blocks_.values_.data(), out, blocks_.tree_->parent, first, rows,
                   attention_shape(spec_, own_), job_);
  }

  void begin_expert(int64_t expert) override {
    ExpertWeights& weights = blocks_.expert_;
    weights.load(model_, layer_, expert);
    if (weights.not_finite() > 0) not_finite_.experts[{layer_, expert}] = weights.not_finite();
  }

  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) override {
    const auto [out, in] = linear_shape(spec_, own_, role);
    matmul(x, in, blocks_.expert_.weight(role), y, out, rows, job_);
    blocks_.add_low_rank(update(role, expert), x, y, rows, in, out, job_);
    if (role != Role::down) return;
    shares_ += rows;
    const int64_t nodes = shares_ / spec_.experts_per_token;
    report_(nodes - reported_);
    reported_ = nodes;
  }

 private:
  const LowRank* update(Role role, int64_t expert = -1) const {
    return model_.adapter() == nullptr ? nullptr : model_.adapter()->find(layer_, role, expert);
  }

  HostTreeBlocks& blocks_;
  const Model& model_;
  const int64_t layer_;
  NotFinite& not_finite_;
  const Job& job_;
  const std::function<void(int64_t nodes)>& report_;
  int64_t shares_ = 0, reported_ = 0;  // rows that experts are done with; nodes told of
};

void HostTreeBlocks::run(size_t model, int64_t layer, NotFinite& not_finite, Job& job,
                         const std::function<void(int64_t nodes)>& report) {
  const ModelSpec& spec = models_[model]->spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const int64_t d = spec.d_model, nodes = tree_->nodes(), kv_width = spec.kv_heads * spec.head_dim;
  const int64_t chunk = std::min(chunk_rows_, nodes);
  float* residual = residuals_[model].data();
  resize_for(keys_, nodes * kv_width);
  resize_for(values_, nodes * kv_width);
  Steps steps(*this, model, layer, not_finite, job, report);
  const BlockMath math = {spec, own, steps, job};

  // Ancestors stand before their descendants, so a chunk finds all the keys it needs computed.
  for (int64_t first = 0; first < nodes; first += chunk) {
    const int64_t rows = std::min(chunk, nodes - first);
    steps.first = first;
    steps.positions =
        std::span(tree_->position).subspan(static_cast<size_t>(first), static_cast<size_t>(rows));
    math.add_attention(keys_.data() + first * kv_width, values_.data() + first * kv_width, rows,
                       residual + first * d);
    if (own.experts) continue;
    math.add_mlp(rows, residual + first * d);
    report(rows);
  }
  if (own.experts) math.add_experts(nodes, chunk, residual);
}

void HostTreeBlocks::add_moments(size_t finetuned, const PairSamples& samples, std::span<Moments> moments) {
  deltascope::add_moments(residuals_[0].data(), residuals_[finetuned].data(), samples, moments);
}

}  // namespace deltascope
