#include "host/text_blocks.h"

#include "models/model.h"
#include "ops/elementwise.h"
#include "ops/tree_attention.h"

namespace deltascope {

/// A block's products by `row_product`, and attention over what is remembered, whose last nodes the rows are.
class HostTextBlocks::Steps final : public HostSteps {
 public:
  Steps(HostTextBlocks& blocks, int64_t layer, const TextEnds& ends, const Job& job)
      : HostSteps(blocks.model_.spec(), blocks.model_.spec().blocks[static_cast<size_t>(layer)],
                  blocks.weights_->norms(), blocks.angles_, blocks.slots_),
        weights_(*blocks.weights_),
        memory_(blocks.memory_[static_cast<size_t>(layer)]),
        ends_(ends),
        job_(job) {
    positions = ends.position.last(static_cast<size_t>(ends.rows));
  }

  using BlockSteps::linear;
  void linear(const float* x, std::span<const Product> products, int64_t rows) override {
    for (const auto& [role, y] : products) weights_.linear(role, x, y, rows, job_);
  }

  void look_back(const float* q, float* out, int64_t rows) override {
    tree_attention(q, memory_.keys.data(), memory_.values.data(), out, ends_.parent,
                   static_cast<int64_t>(ends_.parent.size()) - rows, rows, attention_shape(spec_, own_), job_);
  }

  void begin_expert(int64_t expert) override { weights_.begin_expert(expert, job_); }

  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) override {
    weights_.expert_linear(expert, role, x, y, rows, job_);
  }

 private:
  DecodeWeights& weights_;
  const Memory& memory_;
  const TextEnds& ends_;
  const Job& job_;
};

HostTextBlocks::HostTextBlocks(const Model& model, int64_t weights_budget)
    : model_(model), weights_budget_(weights_budget) {
  std::vector<float> unused;  // texts stay within the context, where no table follows their length
  for (const RotaryTable& table : model.spec().rotary)
    angles_.emplace_back(table.for_length(0, unused), table.scale, RotaryAngles::kPrepared);
  forget();
}

void HostTextBlocks::forget() { memory_.assign(static_cast<size_t>(model_.spec().layers), {}); }

void HostTextBlocks::remember(int64_t layer, const float* keys, const float* values, int64_t nodes,
                              int64_t expected) {
  Memory& memory = memory_[static_cast<size_t>(layer)];
  const int64_t width = model_.spec().kv_heads * model_.spec().head_dim;
  for (std::vector<float>* kept : {&memory.keys, &memory.values})
    kept->reserve(static_cast<size_t>((nodes + expected) * width));
  memory.keys.assign(keys, keys + nodes * width);
  memory.values.assign(values, values + nodes * width);
}

void HostTextBlocks::put(const float* x, int64_t rows) {
  x_.assign(x, x + rows * model_.spec().d_model);
  rows_ = rows;
}

DecodeWeights& HostTextBlocks::weights(const Job& job) {
  if (!weights_) weights_ = std::make_unique<DecodeWeights>(model_, weights_budget_, job);
  return *weights_;
}

void HostTextBlocks::run(int64_t layer, const TextEnds& ends, Job& job) {
  const ModelSpec& spec = model_.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const int64_t width = spec.kv_heads * spec.head_dim, nodes = static_cast<int64_t>(ends.parent.size()),
                before = nodes - ends.rows;
  weights(job).begin_block(layer, job);
  Memory& memory = memory_[static_cast<size_t>(layer)];
  memory.keys.resize(static_cast<size_t>(nodes * width));
  memory.values.resize(static_cast<size_t>(nodes * width));
  Steps steps(*this, layer, ends, job);
  const BlockMath math = {spec, own, steps, job};
  math.add_attention(memory.keys.data() + before * width, memory.values.data() + before * width, ends.rows, x_.data());
  if (own.experts) {
    math.add_experts(ends.rows, ends.rows, x_.data());
  } else {
    math.add_mlp(ends.rows, x_.data());
  }
}

void HostTextBlocks::steer(std::span<const float> vector, std::span<const float> strengths) {
  const auto d = static_cast<int64_t>(vector.size());
  for (size_t i = 0; i < strengths.size(); ++i)
    add_scaled(x_.data() + static_cast<int64_t>(i) * d, d, vector.data(), d, strengths[i], 1, d);
}

std::vector<float> HostTextBlocks::logits(const Job& job) {
  std::vector<float> out(static_cast<size_t>(rows_ * model_.spec().vocab_size));
  weights(job).logits(x_.data(), out.data(), rows_, job);
  return out;
}

std::vector<int32_t> HostTextBlocks::choose(const Choice& choice, const Job& job) {
  logits_.resize(static_cast<size_t>(rows_ * model_.spec().vocab_size));
  weights(job).logits(x_.data(), logits_.data(), rows_, job);
  return choose_tokens(logits_, choice);
}

}  // namespace deltascope
