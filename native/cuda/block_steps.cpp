#include "cuda/block_steps.h"

#include <algorithm>

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);

}  // namespace

void Angles::prepare(Machine& machine, const ModelSpec& spec, int64_t positions, int64_t length) {
  if (positions <= positions_ && length == length_) return;
  tables_.resize(spec.rotary.size());
  for (size_t i = 0; i < tables_.size(); ++i) {
    std::vector<float> dynamic;
    const RotaryAngles angles(spec.rotary[i].for_length(length, dynamic), spec.rotary[i].scale, positions);
    const int64_t width = 2 * angles.half();
    std::vector<float> table(static_cast<size_t>(positions * width)), scratch(static_cast<size_t>(width));
    for (int64_t position = 0; position < positions; ++position)
      std::copy_n(angles.at(static_cast<int32_t>(position), scratch.data()), width, table.data() + position * width);
    put(tables_[i].memory, table, machine.stream());
    wait(machine.stream());
    tables_[i].half = angles.half();
  }
  positions_ = positions, length_ = length;
}

void AttentionPlan::make(Machine& machine, std::span<const int32_t> parent, int64_t first, int64_t cut, int64_t head_dim,
                         bool tensor) {
  const auto nodes = static_cast<int64_t>(parent.size());
  first_ = first, cut_ = std::max<int64_t>(1, cut);
  const auto parent_of = [&](int64_t node) { return int64_t{parent[static_cast<size_t>(node)]}; };
  std::vector<int32_t> depth(static_cast<size_t>(nodes));  // of a node: its ancestors
  longest_ = 0, rows_of_strip_ = 1;
  int64_t chain = 0, run = 0;  // rows of the longest chain; of this one so far
  for (int64_t node = 0; node < nodes; ++node) {
    depth[static_cast<size_t>(node)] = parent_of(node) < 0 ? 0 : depth[static_cast<size_t>(parent_of(node))] + 1;
    if (node < first) continue;
    longest_ = std::max<int64_t>(longest_, depth[static_cast<size_t>(node)] + 1);
    run = node > first && parent_of(node) == node - 1 ? run + 1 : 1;
    chain = std::max(chain, run);
  }
  const int64_t most = strip_rows(head_dim, chain), tensor_depth = tensor && head_dim <= kTensorHead ? kTensorDepth : INT64_MAX;
  std::vector<Strip> short_strips, long_strips;
  std::vector<int32_t> path;
  short_.begin.assign(1, 0), long_.begin.assign(1, 0);
  for (int64_t row = first; row < nodes;) {
    int64_t end = row + 1;  // of the chain of rows that each have the one before as parent
    while (end < nodes && parent_of(end) == end - 1) ++end;
    const auto offset = static_cast<int64_t>(path.size());
    path.resize(path.size() + static_cast<size_t>(depth[static_cast<size_t>(end - 1)]) + 1);
    int64_t node = end - 1;
    for (auto to = path.rbegin(); node >= 0; ++to, node = parent_of(node)) *to = static_cast<int32_t>(node);
    while (row < end) {
      const int64_t next_cut = first + ((row - first) / cut_ + 1) * cut_, above = depth[static_cast<size_t>(row)];
      const bool is_long = above >= tensor_depth;
      const int64_t rows = std::min({end - row, is_long ? kTensorRows : std::min(most, tensor_depth - above), next_cut - row});
      (is_long ? long_strips : short_strips)
          .push_back({static_cast<int32_t>(row), static_cast<int32_t>(rows), offset, static_cast<int32_t>(above)});
      if (!is_long) rows_of_strip_ = std::max(rows_of_strip_, rows);
      row += rows;
      if (row < next_cut && row < nodes) continue;
      short_.begin.push_back(static_cast<int64_t>(short_strips.size()));
      long_.begin.push_back(static_cast<int64_t>(long_strips.size()));
    }
  }
  put(short_.there, short_strips, machine.stream());
  put(long_.there, long_strips, machine.stream());
  put(path_, path, machine.stream());
  wait(machine.stream());
}

AttentionJob AttentionPlan::job(int64_t from, int64_t rows) const {
  const auto begin = static_cast<size_t>((from - first_) / cut_);
  const auto end = static_cast<size_t>((from - first_ + rows + cut_ - 1) / cut_);
  AttentionJob job{};
  job.strips = short_.there.as<Strip>() + short_.begin[begin];
  job.strip_count = short_.begin[end] - short_.begin[begin];
  job.long_strips = long_.there.as<Strip>() + long_.begin[begin];
  job.long_count = long_.begin[end] - long_.begin[begin];
  job.path = path_.as<int32_t>();
  job.first = from;
  job.rows = rows;
  job.rows_of_strip = rows_of_strip_;
  job.longest = longest_;
  return job;
}

float* DeviceSteps::slot(Slot slot, int64_t values) {
  DeviceBytes& bytes = slots_.values[static_cast<size_t>(slot)];
  bytes.reserve(values * kFloat);
  return bytes.as<float>();
}

void DeviceSteps::norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) {
  norm_to(site, x, y, rows, width);
}

void DeviceSteps::rotate(float* x, int64_t heads, int64_t rows) {
  apply_rotary(x, angles_.table(own_.rotary), positions, rows, heads, spec_.head_dim, angles_.half(own_.rotary),
               machine_.stream());
}

float* DeviceSteps::activate(float* gate, float* up, int64_t count) {
  if (!spec_.gated_mlp) {
    gelu_tanh(up, count, machine_.stream());
    return up;
  }
  if (spec_.activation == Activation::gelu_tanh) {
    gelu_tanh_gate(gate, up, count, machine_.stream());
  } else {
    silu_gate(gate, up, count, machine_.stream());
  }
  return gate;
}

void DeviceSteps::add(float* x, const float* y, int64_t count) { cuda::add(x, y, count, machine_.stream()); }

void DeviceSteps::clear(float* x, int64_t count) {
  check(cudaMemsetAsync(x, 0, static_cast<size_t>(count * kFloat), machine_.stream()), "cudaMemsetAsync");
}

const float* DeviceSteps::read(const float* x, int64_t count) {
  slots_.host.reserve(count * kFloat);
  copy(slots_.host.as<float>(), x, count, machine_.stream());
  wait(machine_.stream());
  return slots_.host.as<float>();
}

void DeviceSteps::put_shares(std::span<const Share> shares) {
  std::vector<int32_t> rows;
  std::vector<float> weights;
  for (const auto& [row, weight] : shares) {
    rows.push_back(row);
    weights.push_back(weight);
  }
  put(slots_.rows, rows, machine_.stream());
  put(slots_.weights, weights, machine_.stream());
}

void DeviceSteps::gather(const float* from, std::span<const Share> shares, float* to, int64_t width) {
  put_shares(shares);
  gather_rows(from, slots_.rows.as<int32_t>(), to, static_cast<int64_t>(shares.size()), width, machine_.stream());
}

void DeviceSteps::add_shares(float* to, std::span<const Share> shares, const float* from, int64_t width) {
  put_shares(shares);
  add_weighted_rows(to, slots_.rows.as<int32_t>(), slots_.weights.as<float>(), from, static_cast<int64_t>(shares.size()),
                    width, machine_.stream());
}

void DeviceSteps::attend(AttentionJob job, const float* q, const float* keys, const float* values, float* out, bool cuts) {
  const AttentionShape shape = attention_shape(spec_, own_);
  job.q = q, job.k = keys, job.v = values, job.out = out;
  job.heads = shape.heads, job.kv_heads = shape.kv_heads, job.head_dim = shape.head_dim;
  job.scale = shape.scale, job.softcap = shape.softcap, job.window = shape.window;
  if (cuts) {
    job.heads_together = heads_together(job);
    if (job.longest > kPathPiece) job.parts = slots_.attention.hold<float>(attention_parts(job));
  }
  tree_attention(job, machine_.stream());
}

const void* Multiplier::see(const float* x, int64_t rows, int64_t in) {
  if (!narrow_) return x;
  slots_.rounded.reserve(rows * in * 2);
  round_to_bf16(x, slots_.rounded.as<uint16_t>(), rows * in, machine_.stream());
  return slots_.rounded.as<void>();
}

void Multiplier::multiply(const Matrix& w, const void* seen, float* y, int64_t rows, int64_t y_stride) {
  const void* values = w.values;
  if (!narrow_ && w.dtype != DType::f32) {
    slots_.wide.reserve(w.out * w.in * kFloat);
    widen(w.values, w.dtype, slots_.wide.as<float>(), w.out * w.in, machine_.stream());
    values = slots_.wide.as<void>();
  }
  machine_.products.multiply({seen, values, y, rows, w.out, w.in, y_stride > 0 ? y_stride : w.out, narrow_}, machine_.stream());
}

void Multiplier::add(const Update* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out) {
  if (update == nullptr) return;
  slots_.inner.reserve(rows * update->rank * kFloat);
  float* inner = slots_.inner.as<float>();
  machine_.products.multiply({x, update->a, inner, rows, update->rank, in, update->rank, false}, machine_.stream());
  machine_.products.multiply({inner, update->b, y, rows, out, update->rank, out, false, update->scale, true}, machine_.stream());
}

}  // namespace deltascope::cuda
