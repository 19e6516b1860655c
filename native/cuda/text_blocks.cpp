#include "cuda/text_blocks.h"

#include <algorithm>

#include "core/errors.h"
#include "models/layer_weights.h"

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kHeadRows = 4096;   // of a head that is not kept, brought together
constexpr int64_t kPositions = 1024;  // by how many the table of angles grows at least

}  // namespace

CudaTextBlocks::CudaTextBlocks(std::shared_ptr<Machine> machine, const Model& model, int64_t weights_budget)
    : machine_(std::move(machine)),
      model_(model),
      weights_budget_(weights_budget),
      adapter_(*machine_, model),
      stage_(*machine_),
      experts_(*machine_) {
  memory_.resize(static_cast<size_t>(model.spec().layers));
}

CudaTextBlocks::~CudaTextBlocks() { (void)cudaStreamSynchronize(machine_->stream()); }

void CudaTextBlocks::forget() {
  memory_.clear();
  memory_.resize(static_cast<size_t>(model_.spec().layers));
  planned_ = nullptr;
}

bool CudaTextBlocks::drop_weights() {
  const bool any = !kept_.empty() || (head_ && head_->keeps_weights());
  kept_.clear();
  head_.reset();
  weights_read_ = false;
  return any;
}

/// Makes room for so many nodes, and `room` more; what is remembered stays.
void CudaTextBlocks::grow(Memory& memory, int64_t nodes, int64_t room) {
  const int64_t row = model_.spec().kv_heads * model_.spec().head_dim;
  for (DeviceBytes* bytes : {&memory.keys, &memory.values}) {
    if (bytes->size() >= nodes * row * kFloat) continue;  // each by itself: there may have been room for one only
    DeviceBytes larger;
    larger.reserve((nodes + room) * row * kFloat);
    copy(larger.as<float>(), bytes->as<const float>(), memory.nodes * row, machine_->stream());
    std::swap(*bytes, larger);  // the old memory is given back when all work is done
  }
}

void CudaTextBlocks::remember(int64_t layer, const float* keys, const float* values, int64_t nodes, int64_t expected) {
  Memory& memory = memory_[static_cast<size_t>(layer)];
  const int64_t count = nodes * model_.spec().kv_heads * model_.spec().head_dim;
  memory.nodes = 0;
  grow(memory, nodes, expected);
  copy(memory.keys.as<float>(), keys, count, machine_->stream());
  copy(memory.values.as<float>(), values, count, machine_->stream());
  memory.nodes = nodes;
}

void CudaTextBlocks::put(const float* x, int64_t rows) {
  x_.reserve(rows * model_.spec().d_model * kFloat);
  copy(x_.as<float>(), x, rows * model_.spec().d_model, machine_->stream());
  rows_ = rows;
}

/// Reads weights by way of the stage into memory of their own.
const uint8_t* CudaTextBlocks::bring_kept(DeviceBytes& memory, int64_t bytes, const std::function<void(uint8_t*)>& read) {
  memory.reserve(bytes);
  copy(memory.as<>(), stage_.bring(bytes, read), bytes, machine_->stream());
  return memory.as<>();
}

void CudaTextBlocks::keep_weights(const Job& job) {
  if (weights_read_) return;
  const ModelSpec& spec = model_.spec();
  model_.require_unchanged();
  int64_t budget = weights_budget_;
  head_ = std::make_unique<Head>(machine_, model_);
  head_->keep(budget, job);
  if (head_->keeps_weights()) budget -= Head::weight_bytes(model_);
  kept_.clear();
  for (int64_t layer = 0; layer < spec.layers; ++layer) stage_.reserve(BlockLayout(model_, layer).bytes());
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    const BlockLayout layout(model_, layer);
    const auto experts = static_cast<int64_t>(model_.block(layer).experts.size());
    budget -= layout.bytes() + (experts > 0 ? experts * ExpertLayout(model_, layer, 0).bytes() : 0);
    if (budget < 0) break;
    job.throw_if_cancelled();
    Kept& kept = kept_.emplace_back();
    kept.expert_memory.resize(static_cast<size_t>(experts));
    bool fits = try_reserve(kept.memory, layout.bytes());
    for (int64_t e = 0; e < experts && fits; ++e)
      fits = try_reserve(kept.expert_memory[static_cast<size_t>(e)], ExpertLayout(model_, layer, e).bytes());
    if (!fits) {  // less was free than the budget says: the last one's room goes to what else is needed
      kept_.resize(std::max<size_t>(kept_.size(), 2) - 2);
      break;
    }
    kept.block = layout.at(bring_kept(kept.memory, layout.bytes(), [&](uint8_t* to) { layout.read(job, to); }));
    for (int64_t e = 0; e < experts; ++e) {
      const ExpertLayout expert(model_, layer, e);
      kept.experts.push_back(expert.at(bring_kept(kept.expert_memory[static_cast<size_t>(e)], expert.bytes(),
                                                  [&](uint8_t* to) { expert.read(job, to); })));
    }
  }
  weights_read_ = true;
}

/// A block's products by `row_product`, and attention over what is remembered, whose last nodes the rows are.
class CudaTextBlocks::Steps final : public DeviceSteps {
 public:
  Steps(CudaTextBlocks& blocks, int64_t layer, const Block& block, const Kept* kept, const Job& job)
      : DeviceSteps(*blocks.machine_, blocks.model_.spec(), layer, block, blocks.angles_, blocks.adapter_, blocks.slots_),
        blocks_(blocks),
        memory_(blocks.memory_[static_cast<size_t>(layer)]),
        kept_(kept),
        job_(job) {
    positions = blocks.positions_.as<int32_t>();
  }

  using BlockSteps::linear;
  void linear(const float* x, std::span<const Product> products, int64_t rows) override {
    for (const auto& [role, y] : products) {
      const Matrix& w = block_.linear[static_cast<size_t>(role)];
      multiply(w, x, y, rows);
      if (const float* bias = block_.bias[static_cast<size_t>(role)]) add_bias(y, bias, rows, w.out, machine_.stream());
      blocks_.add_update(adapter_.find(layer_, role, -1), x, y, rows, w.in, w.out);
    }
  }

  void look_back(const float* q, float* out, int64_t rows) override {
    attend(blocks_.plan_.job(memory_.nodes - rows, rows), q, memory_.keys.as<float>(), memory_.values.as<float>(), out, true);
  }

  void begin_expert(int64_t expert) override {
    if (kept_ != nullptr) {
      expert_ = kept_->experts[static_cast<size_t>(expert)];
      return;
    }
    const ExpertLayout layout(blocks_.model_, layer_, expert);
    expert_ = layout.at(blocks_.experts_.bring(layout.bytes(), [&](uint8_t* to) { layout.read(job_, to); }));
  }

  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) override {
    const Matrix& w = expert_.linear[static_cast<size_t>(role)];
    multiply(w, x, y, rows);
    blocks_.add_update(adapter_.find(layer_, role, expert), x, y, rows, w.in, w.out);
  }

 private:
  void multiply(const Matrix& w, const float* x, float* y, int64_t rows) {
    row_product({w.values, w.dtype, x, y, rows, w.out, w.in, w.out, blocks_.model_.precision() == Precision::bfloat16},
                machine_.stream());
  }

  CudaTextBlocks& blocks_;
  const Memory& memory_;
  const Kept* kept_;
  const Job& job_;
  Expert expert_;
};

/// y += scale · B (A x)
void CudaTextBlocks::add_update(const Update* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out) {
  if (update == nullptr) return;
  slots_.inner.reserve(rows * update->rank * kFloat);
  float* inner = slots_.inner.as<float>();
  row_product({update->a, DType::f32, x, inner, rows, update->rank, in, update->rank}, machine_->stream());
  row_product({update->b, DType::f32, inner, y, rows, out, update->rank, out, false, true, update->scale}, machine_->stream());
}

/// Makes what depends on which rows are at work: their paths, their positions, and angles for these.
void CudaTextBlocks::look_at(const TextEnds& ends) {
  if (planned_ == ends.parent.data() && planned_nodes_ == ends.parent.size()) return;
  const auto own = ends.position.last(static_cast<size_t>(ends.rows));
  const int64_t positions = 1 + *std::max_element(own.begin(), own.end());
  if (positions > angles_.positions())
    angles_.prepare(*machine_, model_.spec(), std::max(positions, angles_.positions() + kPositions), 0);
  plan_.make(*machine_, ends.parent, static_cast<int64_t>(ends.parent.size()) - ends.rows, ends.rows, model_.spec().head_dim, false);
  positions_.reserve(ends.rows * static_cast<int64_t>(sizeof(int32_t)));
  copy(positions_.as<int32_t>(), own.data(), ends.rows, machine_->stream());
  planned_ = ends.parent.data();
  planned_nodes_ = ends.parent.size();
}

void CudaTextBlocks::run(int64_t layer, const TextEnds& ends, Job& job) {
  const ModelSpec& spec = model_.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const int64_t width = spec.kv_heads * spec.head_dim, nodes = static_cast<int64_t>(ends.parent.size()),
                before = nodes - ends.rows;
  keep_weights(job);
  look_at(ends);
  const Kept* kept = layer < static_cast<int64_t>(kept_.size()) ? &kept_[static_cast<size_t>(layer)] : nullptr;
  Block passing;
  if (kept == nullptr) {
    const BlockLayout layout(model_, layer);
    passing = layout.at(stage_.bring(layout.bytes(), [&](uint8_t* to) { layout.read(job, to); }));
  }
  Memory& memory = memory_[static_cast<size_t>(layer)];
  grow(memory, nodes, nodes / 2);
  memory.nodes = nodes;
  Steps steps(*this, layer, kept == nullptr ? passing : kept->block, kept, job);
  const BlockMath math = {spec, own, steps, job};
  float* x = x_.as<float>();
  math.add_attention(memory.keys.as<float>() + before * width, memory.values.as<float>() + before * width, ends.rows, x);
  if (own.experts) {
    math.add_experts(ends.rows, ends.rows, x);
  } else {
    math.add_mlp(ends.rows, x);
  }
}

void CudaTextBlocks::steer(std::span<const float> vector, std::span<const float> strengths) {
  const auto d = static_cast<int64_t>(vector.size()), rows = static_cast<int64_t>(strengths.size());
  steering_.reserve((d + rows) * kFloat);
  float* there = steering_.as<float>();
  copy(there, vector.data(), d, machine_->stream());
  copy(there + d, strengths.data(), rows, machine_->stream());
  add_scaled_rows(x_.as<float>(), there, there + d, rows, d, machine_->stream());
}

/// [rows, vocabulary], soft cap applied.
float* CudaTextBlocks::compute_logits(const Job& job) {
  const ModelSpec& spec = model_.spec();
  const int64_t d = spec.d_model, vocabulary = spec.vocab_size;
  keep_weights(job);
  const cudaStream_t stream = machine_->stream();
  DeviceBytes& normed_bytes = slots_.values[static_cast<size_t>(Slot::normed)];
  normed_bytes.reserve(rows_ * d * kFloat);
  auto* normed = normed_bytes.as<float>();
  head_->norm(x_.as<float>(), normed, rows_);
  logits_.reserve(rows_ * vocabulary * kFloat);
  auto* logits = logits_.as<float>();
  head_->visit(head_->keeps_weights() ? vocabulary : kHeadRows, stage_, job, [&](const Matrix& w, int64_t first) {
    row_product({w.values, w.dtype, normed, logits + first, rows_, w.out, d, vocabulary}, stream);
  });
  add_update(head_->update(), normed, logits, rows_, d, vocabulary);
  if (spec.logit_softcap > 0) soft_cap(logits, rows_ * vocabulary, spec.logit_softcap, stream);
  return logits;
}

std::vector<float> CudaTextBlocks::logits(const Job& job) {
  const float* logits = compute_logits(job);
  std::vector<float> out(static_cast<size_t>(rows_ * model_.spec().vocab_size));
  copy(out.data(), logits, static_cast<int64_t>(out.size()), machine_->stream());
  wait(machine_->stream());
  return out;
}

std::vector<int32_t> CudaTextBlocks::choose(const Choice& choice, const Job& job) {
  return chooser_.choose(*machine_, compute_logits(job), model_.spec().vocab_size, choice);
}

}  // namespace deltascope::cuda
