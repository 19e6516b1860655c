#include "cuda/tree_blocks.h"

#include <algorithm>

#include "core/errors.h"
#include "diff/moments.h"

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kEntryRows = 1024;  // that enter together: while some are on their way, the host writes the next
constexpr int64_t kChunkRows = 8192;  // enough to fill the largest device; more would only widen the scratch

int64_t widest_head(const std::vector<const Model*>& models) {
  int64_t widest = 0;
  for (const Model* model : models) widest = std::max(widest, model->spec().head_dim);
  return widest;
}

/// The most bytes that a layer's weights take once they are widened to float32; 0 where products read them as they are stored.
int64_t widened_bytes(const Model& model) {
  const ModelSpec& spec = model.spec();
  int64_t most = 0;
  for (int64_t layer = 0; layer < spec.layers && model.precision() == Precision::float32; ++layer) {
    const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
    const auto consider = [&](const LinearWeight& linear, Role role) {
      if (!linear.weight || linear.weight.tensor->dtype == DType::f32) return;
      const LinearShape shape = linear_shape(spec, own, role);
      most = std::max(most, shape.out * shape.in * kFloat);
    };
    for (const Role role : kRoles) consider(model.block(layer).linear[static_cast<size_t>(role)], role);
    for (const Role role : {Role::gate, Role::up, Role::down}) {
      if (own.experts) consider(model.expert(layer, 0, role), role);
    }
  }
  return most;
}

/// Of an adapter's updates.
int64_t widest_rank(const Model& model) { return model.adapter() == nullptr ? 0 : model.adapter()->max_rank(); }

}  // namespace

CudaTreeBlocks::CudaTreeBlocks(std::shared_ptr<Machine> machine, std::vector<const Model*> models)
    : machine_(std::move(machine)),
      models_(std::move(models)),
      chunk_rows_(kChunkRows),
      blocks_(*machine_),
      experts_(*machine_),
      residuals_(models_.size()),
      host_(models_.size()),
      angles_(models_.size()),
      plans_(models_.size()) {
  if (widest_head(models_) > kMaxHead) {
    throw Error(Code::model_unsupported,
                "heads of " + std::to_string(widest_head(models_)) + " values; CUDA attention takes " + std::to_string(kMaxHead),
                {{"field", "head_dim"}, {"expected", std::to_string(kMaxHead)}, {"found", std::to_string(widest_head(models_))}});
  }
  for (const Model* model : models_) adapters_.emplace_back(*machine_, *model);
}

CudaTreeBlocks::~CudaTreeBlocks() { (void)cudaStreamSynchronize(machine_->stream()); }

int64_t CudaTreeBlocks::row_bytes() const {
  int64_t most = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    const int64_t heads = spec.heads * spec.head_dim, wide = std::max(spec.d_mlp, spec.d_expert);
    // normed, projected, q, attended, gate, up, an update's inside, the router; and x rounded.
    const int64_t values = 2 * (spec.d_model + heads + wide) + widest_rank(*model) + spec.experts;
    most = std::max(most, values * kFloat + 2 * std::max({spec.d_model, heads, wide}));
  }
  return most;
}

int64_t CudaTreeBlocks::fixed_bytes() const {
  int64_t block = 0, expert = 0, wide = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    block = std::max(block, kEntryRows * spec.d_model * kFloat);
    for (int64_t layer = 0; layer < spec.layers; ++layer) {
      const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
      block = std::max(block, BlockLayout(*model, layer).bytes());
      if (own.experts) expert = std::max(expert, ExpertLayout(*model, layer, 0).bytes());
    }
    wide = std::max(wide, widened_bytes(*model));
  }
  return 2 * (block + expert) + wide + chunk_rows_ * row_bytes();
}

int64_t CudaTreeBlocks::bytes_per_node(int64_t longest) const {
  int64_t residual = 0, kv = 0;
  for (const Model* model : models_) {
    const ModelSpec& spec = model->spec();
    residual += spec.d_model;
    kv = std::max(kv, 2 * spec.kv_heads * spec.head_dim + (spec.experts > 0 ? 2 * spec.d_model : 0));
  }
  // And positions, strips, and paths to the root: a node that begins a chain has one, which at worst all do.
  return (residual + kv) * kFloat + 32 + longest * static_cast<int64_t>(sizeof(int32_t));
}

int64_t CudaTreeBlocks::default_budget() const {
  // More nodes would not fill a device better, and the host holds what is known of each sample.
  constexpr int64_t kMost = int64_t{6} << 30;
  return std::min(free_bytes() / 10 * 8, kMost);
}

/// All that the tree needs, before anything is computed.
void CudaTreeBlocks::reserve(int64_t chunk) {
  const int64_t nodes = tree_->nodes();
  for (size_t m = 0; m < models_.size(); ++m) {
    const ModelSpec& spec = models_[m]->spec();
    const int64_t heads = spec.heads * spec.head_dim, wide = std::max(spec.d_mlp, spec.d_expert);
    const auto slot = [&](Slot slot, int64_t values) { slots_.values[static_cast<size_t>(slot)].reserve(values * kFloat); };
    residuals_[m].reserve(nodes * spec.d_model * kFloat);
    keys_.reserve(nodes * spec.kv_heads * spec.head_dim * kFloat);
    values_.reserve(nodes * spec.kv_heads * spec.head_dim * kFloat);
    slot(Slot::normed, chunk * spec.d_model);
    slot(Slot::projected, chunk * spec.d_model);
    slot(Slot::q, chunk * heads);
    slot(Slot::attended, chunk * heads);
    slot(Slot::up, chunk * wide);
    if (spec.gated_mlp || spec.experts > 0) slot(Slot::gate, chunk * wide);
    if (models_[m]->precision() == Precision::bfloat16) slots_.rounded.reserve(chunk * std::max({spec.d_model, heads, wide}) * 2);
    slots_.inner.reserve(chunk * widest_rank(*models_[m]) * kFloat);
    slots_.wide.reserve(widened_bytes(*models_[m]));
    blocks_.reserve(std::min(kEntryRows, nodes) * spec.d_model * kFloat);
    for (int64_t layer = 0; layer < spec.layers; ++layer) blocks_.reserve(BlockLayout(*models_[m], layer).bytes());
    if (spec.experts == 0) continue;
    for (int64_t layer = 0; layer < spec.layers; ++layer) {
      if (spec.blocks[static_cast<size_t>(layer)].experts) experts_.reserve(ExpertLayout(*models_[m], layer, 0).bytes());
    }
    slots_.rows.reserve(chunk * static_cast<int64_t>(sizeof(int32_t)));
    slots_.weights.reserve(chunk * kFloat);
    slot(Slot::router, chunk * spec.experts);
    slot(Slot::expert_in, nodes * spec.d_model);
    slot(Slot::expert_out, nodes * spec.d_model);
  }
}

/// Gives back what grows with a tree, so that a smaller one finds room.
void CudaTreeBlocks::release() {
  for (DeviceBytes& residual : residuals_) residual.release();
  for (AttentionPlan& plan : plans_) plan = AttentionPlan();
  slots_ = Slots();
  for (DeviceBytes* bytes : {&positions_, &keys_, &values_, &sums_, &samples_}) bytes->release();
}

/// What work returns. Whatever it was for which memory ran out, `release` makes room for the next try.
template <typename Work>
auto CudaTreeBlocks::or_release(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == Code::out_of_memory) release();
    throw;
  }
}

void CudaTreeBlocks::begin(const PrefixTree& tree) {
  tree_ = &tree;
  const int64_t nodes = tree.nodes(), chunk = std::min(chunk_rows_, nodes);
  const int64_t positions = nodes == 0 ? 0 : 1 + *std::max_element(tree.position.begin(), tree.position.end());
  or_release([&] {
    reserve(chunk);
    for (size_t m = 0; m < models_.size(); ++m) {
      angles_[m].prepare(*machine_, models_[m]->spec(), positions, tree.length);
      plans_[m].make(*machine_, tree.parent, 0, chunk, models_[m]->spec().head_dim, models_[m]->precision() == Precision::bfloat16);
    }
    positions_.reserve(nodes * static_cast<int64_t>(sizeof(int32_t)));
  });
  copy(positions_.as<int32_t>(), tree.position.data(), nodes, machine_->stream());
}

void CudaTreeBlocks::enter(size_t model, const Entry& entry) {
  const int64_t d = models_[model]->spec().d_model, nodes = tree_->nodes();
  for (int64_t first = 0; first < nodes; first += kEntryRows) {
    const int64_t count = std::min(kEntryRows, nodes - first);
    const uint8_t* piece =
        blocks_.bring(count * d * kFloat, [&](uint8_t* to) { entry(first, count, reinterpret_cast<float*>(to)); });
    copy(residuals_[model].as<float>() + first * d, reinterpret_cast<const float*>(piece), count * d, machine_->stream());
  }
}

void CudaTreeBlocks::copy_first(size_t to) {
  copy(residuals_[to].as<float>(), residuals_[0].as<const float>(), tree_->nodes() * models_[0]->spec().d_model,
       machine_->stream());
}

int64_t CudaTreeBlocks::load(size_t model, int64_t layer, const Job& job) {
  const BlockLayout layout(*models_[model], layer);
  int64_t not_finite = 0;
  or_release([&] {
    block_ = layout.at(blocks_.bring(layout.bytes(), [&](uint8_t* to) { not_finite = layout.read(job, to); }));
  });
  return not_finite;
}

/// A block's products by Products, and attention over the tree. The rows at work are first, first + 1, ….
class CudaTreeBlocks::Steps final : public DeviceSteps {
 public:
  Steps(CudaTreeBlocks& blocks, size_t model, int64_t layer, NotFinite& not_finite, const Job& job,
        const std::function<void(int64_t nodes)>& report)
      : DeviceSteps(*blocks.machine_, blocks.models_[model]->spec(), layer, blocks.block_, blocks.angles_[model],
                    blocks.adapters_[model], blocks.slots_),
        blocks_(blocks),
        model_(*blocks.models_[model]),
        plan_(blocks.plans_[model]),
        multiplier_(*blocks.machine_, blocks.slots_, model_.precision() == Precision::bfloat16),
        not_finite_(not_finite),
        job_(job),
        report_(report),
        rounds_early_(model_.precision() == Precision::bfloat16 && model_.adapter() == nullptr && !own_.experts) {}

  int64_t first = 0;

  void norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) override {
    const bool enters_products = site == NormSite::before_attention || site == NormSite::before_mlp;
    if (!rounds_early_ || !enters_products) return DeviceSteps::norm(site, x, y, rows, width);
    norm_to(site, x, round_early(y, rows * width), rows, width);
  }

  float* activate(float* gate, float* up, int64_t count) override {
    if (!rounds_early_ || !spec_.gated_mlp) return DeviceSteps::activate(gate, up, count);
    uint16_t* rounded = round_early(gate, count);
    if (spec_.activation == Activation::gelu_tanh) {
      gelu_tanh_gate(gate, up, rounded, count, machine_.stream());
    } else {
      silu_gate(gate, up, rounded, count, machine_.stream());
    }
    return gate;
  }

  using BlockSteps::linear;
  void linear(const float* x, std::span<const Product> products, int64_t rows) override {
    const int64_t in = linear_shape(spec_, own_, products.front().role).in;
    const void* seen = x == rounded_ ? slots_.rounded.as<void>() : multiplier_.see(x, rows, in);
    rounded_ = nullptr;
    for (const auto& [role, y] : products) {
      const Matrix& w = block_.linear[static_cast<size_t>(role)];
      multiplier_.multiply(w, seen, y, rows);
      if (const float* bias = block_.bias[static_cast<size_t>(role)]) add_bias(y, bias, rows, w.out, machine_.stream());
      multiplier_.add(adapter_.find(layer_, role, -1), x, y, rows, in, w.out);
    }
  }

  void look_back(const float* q, float* out, int64_t rows) override {
    attend(plan_.job(first, rows), q, blocks_.keys(), blocks_.values(), out, false);
  }

  void begin_expert(int64_t expert) override {
    const ExpertLayout layout(model_, layer_, expert);
    int64_t spoiled = 0;
    expert_ = layout.at(blocks_.experts_.bring(layout.bytes(), [&](uint8_t* to) { spoiled = layout.read(job_, to); }));
    if (spoiled > 0) not_finite_.experts[{layer_, expert}] = spoiled;
  }

  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) override {
    const Matrix& w = expert_.linear[static_cast<size_t>(role)];
    multiplier_.multiply(w, multiplier_.see(x, rows, w.in), y, rows);
    multiplier_.add(adapter_.find(layer_, role, expert), x, y, rows, w.in, w.out);
    if (role != Role::down) return;
    shares_ += rows;
    const int64_t nodes = shares_ / spec_.experts_per_token;
    report_(nodes - reported_);
    reported_ = nodes;
  }

 private:
  /// Where values go that would stand at `place` and that only the next products read: rounded, as these see them.
  uint16_t* round_early(const float* place, int64_t count) {
    slots_.rounded.reserve(count * 2);
    rounded_ = place;
    return slots_.rounded.as<uint16_t>();
  }

  CudaTreeBlocks& blocks_;
  const Model& model_;
  const AttentionPlan& plan_;
  Multiplier multiplier_;
  NotFinite& not_finite_;
  const Job& job_;
  const std::function<void(int64_t nodes)>& report_;
  const bool rounds_early_;         // an update would read the values themselves, and so do experts
  const float* rounded_ = nullptr;  // whose values slots_.rounded holds
  Expert expert_;
  int64_t shares_ = 0, reported_ = 0;  // rows that experts are done with; nodes told of
};

void CudaTreeBlocks::run(size_t model, int64_t layer, NotFinite& not_finite, Job& job,
                         const std::function<void(int64_t nodes)>& report) {
  const ModelSpec& spec = models_[model]->spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  const int64_t d = spec.d_model, nodes = tree_->nodes(), kv_width = spec.kv_heads * spec.head_dim;
  const int64_t chunk = std::min(chunk_rows_, nodes);
  float* residual = residuals_[model].as<float>();
  Steps steps(*this, model, layer, not_finite, job, report);
  const BlockMath math = {spec, own, steps, job};

  or_release([&] {
    // Ancestors stand before their descendants, so a chunk finds all the keys it needs computed.
    for (int64_t first = 0; first < nodes; first += chunk) {
      const int64_t rows = std::min(chunk, nodes - first);
      job.throw_if_cancelled();
      steps.first = first;
      steps.positions = positions_.as<int32_t>() + first;
      math.add_attention(keys_.as<float>() + first * kv_width, values_.as<float>() + first * kv_width, rows,
                         residual + first * d);
      if (own.experts) continue;
      math.add_mlp(rows, residual + first * d);
      report(rows);
    }
    if (own.experts) math.add_experts(nodes, chunk, residual);
  });
}

const float* CudaTreeBlocks::residual(size_t model) {
  HostRows& host = host_[model];
  const int64_t values = tree_->nodes() * models_[model]->spec().d_model;
  if (host.room < values) {
    host.values.reset();
    host.values = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(values));
    host.room = values;
  }
  copy(host.values.get(), residuals_[model].as<const float>(), values, machine_->stream());
  wait(machine_->stream());
  return host.values.get();
}

void CudaTreeBlocks::add_moments(size_t finetuned, const PairSamples& samples, std::span<Moments> moments) {
  const int64_t entries = samples.entries(), positions = samples.positions(), width = samples.d_model;
  const int64_t kinds = kPairSums + samples.swaps;
  if (entries == 0) return;
  const int64_t sum_bytes = positions * kinds * width * 16 + positions * width * 8 + entries * 3 * 8;
  or_release([&] {
    samples_.reserve(((positions + 1) + 2 * entries) * 8 + (entries + entries * samples.swaps) * 4);
    sums_.reserve(sum_bytes);
  });
  // The lists one after another, those of wider numbers first.
  auto* first = samples_.as<int64_t>();
  int64_t *count = first + positions + 1, *even = count + entries;
  auto* node = reinterpret_cast<int32_t*>(even + entries);
  int32_t* signs = node + entries;
  const cudaStream_t stream = machine_->stream();
  copy(first, samples.first.data(), positions + 1, stream);
  copy(count, samples.count.data(), entries, stream);
  copy(even, samples.even.data(), entries, stream);
  copy(node, samples.node.data(), entries, stream);
  copy(signs, samples.signs.data(), entries * samples.swaps, stream);

  auto* sums = sums_.as<int128>();
  auto* spoiled = reinterpret_cast<int64_t*>(sums + positions * kinds * width);
  auto* norms = reinterpret_cast<double*>(spoiled + positions * width);
  const PairJob job = {residuals_[0].as<float>(), residuals_[finetuned].as<float>(), node, first, count, even, signs,
                       positions, entries, width, samples.swaps, samples.compat};
  pair_sums(job, sums, spoiled, stream);
  pair_norms(job, norms, stream);

  std::vector<int128> host_sums(static_cast<size_t>(kinds * width)), swapped(static_cast<size_t>(samples.swaps * width));
  std::vector<int64_t> host_spoiled(static_cast<size_t>(width));
  std::vector<double> host_norms(static_cast<size_t>(3 * entries));
  copy(host_norms.data(), static_cast<const double*>(norms), 3 * entries, stream);
  for (int64_t p = 0; p < positions; ++p) {
    copy(host_sums.data(), static_cast<const int128*>(sums) + p * kinds * width, kinds * width, stream);
    copy(host_spoiled.data(), static_cast<const int64_t*>(spoiled) + p * width, width, stream);
    wait(stream);
    for (int64_t s = 0; s < samples.swaps; ++s) {
      for (int64_t j = 0; j < width; ++j)
        swapped[static_cast<size_t>(j * samples.swaps + s)] = host_sums[static_cast<size_t>((kPairSums + s) * width + j)];
    }
    std::vector<Moments::Pair> pairs;
    for (int64_t e = samples.first[static_cast<size_t>(p)]; e < samples.first[static_cast<size_t>(p + 1)]; ++e) {
      const auto at = static_cast<size_t>(e);
      pairs.push_back({nullptr, nullptr, samples.count[at], samples.even[at], host_norms[3 * at], host_norms[3 * at + 1],
                       host_norms[3 * at + 2], nullptr});
    }
    const int128* s = host_sums.data();
    moments[static_cast<size_t>(p)].add_sums(
        {s, s + width, s + 2 * width, s + 3 * width, s + 4 * width, swapped.data(), host_spoiled.data()}, pairs);
  }
}

}  // namespace deltascope::cuda
