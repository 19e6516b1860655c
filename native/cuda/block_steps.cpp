#include "cuda/block_steps.h"

#include <algorithm>

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);

template <typename T>
void put(DeviceBytes& to, const std::vector<T>& values, cudaStream_t stream) {
  to.reserve(static_cast<int64_t>(values.size() * sizeof(T)));
  copy(to.as<T>(), values.data(), static_cast<int64_t>(values.size()), stream);
}

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

void AttentionPlan::make(Machine& machine, std::span<const int32_t> parent, int64_t first, int64_t cut, int64_t head_dim) {
  const auto nodes = static_cast<int64_t>(parent.size());
  first_ = first, cut_ = std::max<int64_t>(1, cut);
  const auto parent_of = [&](int64_t node) { return int64_t{parent[static_cast<size_t>(node)]}; };
  std::vector<int32_t> depth(static_cast<size_t>(nodes));  // of a node: its ancestors
  int64_t longest = 0, run = 0;  // rows of a chain
  for (int64_t node = 0; node < nodes; ++node) {
    depth[static_cast<size_t>(node)] = parent_of(node) < 0 ? 0 : depth[static_cast<size_t>(parent_of(node))] + 1;
    if (node < first) continue;
    run = node > first && parent_of(node) == node - 1 ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  rows_per_strip_ = strip_rows(head_dim, longest);
  std::vector<Strip> strips;
  std::vector<int32_t> path;
  begin_.assign(1, 0);
  for (int64_t row = first; row < nodes;) {
    int64_t end = row + 1;  // of the chain of rows that each have the one before as parent
    while (end < nodes && parent_of(end) == end - 1) ++end;
    const auto offset = static_cast<int64_t>(path.size());
    path.resize(path.size() + static_cast<size_t>(depth[static_cast<size_t>(end - 1)]) + 1);
    int64_t node = end - 1;
    for (auto to = path.rbegin(); node >= 0; ++to, node = parent_of(node)) *to = static_cast<int32_t>(node);
    while (row < end) {
      const int64_t next_cut = first + ((row - first) / cut_ + 1) * cut_;
      const int64_t rows = std::min({end - row, rows_per_strip_, next_cut - row});
      strips.push_back({static_cast<int32_t>(row), static_cast<int32_t>(rows), offset, depth[static_cast<size_t>(row)]});
      row += rows;
      if (row == next_cut || row == nodes) begin_.push_back(static_cast<int64_t>(strips.size()));
    }
  }
  put(strips_, strips, machine.stream());
  put(path_, path, machine.stream());
  wait(machine.stream());
}

AttentionJob AttentionPlan::job(int64_t from, int64_t rows) const {
  const auto begin = static_cast<size_t>((from - first_) / cut_);
  const auto end = static_cast<size_t>((from - first_ + rows + cut_ - 1) / cut_);
  AttentionJob job{};
  job.strips = strips_.as<Strip>() + begin_[begin];
  job.path = path_.as<int32_t>();
  job.strip_count = begin_[end] - begin_[begin];
  job.first = from;
  job.rows_per_strip = rows_per_strip_;
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

void DeviceSteps::attend(AttentionJob job, const float* q, const float* keys, const float* values, float* out) {
  const AttentionShape shape = attention_shape(spec_, own_);
  job.q = q, job.k = keys, job.v = values, job.out = out;
  job.heads = shape.heads, job.kv_heads = shape.kv_heads, job.head_dim = shape.head_dim;
  job.scale = shape.scale, job.softcap = shape.softcap, job.window = shape.window;
  tree_attention(job, machine_.stream());
}

const void* Multiplier::see(const float* x, int64_t rows, int64_t in) {
  if (!narrow_) return x;
  slots_.rounded.reserve(rows * in * 2);
  round_to_bf16(x, slots_.rounded.as<uint16_t>(), rows * in, machine_.stream());
  return slots_.rounded.as<void>();
}

void Multiplier::multiply(const Matrix& w, const void* seen, float* y, int64_t rows) {
  const void* values = w.values;
  if (!narrow_ && w.dtype != DType::f32) {
    slots_.wide.reserve(w.out * w.in * kFloat);
    widen(w.values, w.dtype, slots_.wide.as<float>(), w.out * w.in, machine_.stream());
    values = slots_.wide.as<void>();
  }
  machine_.products.multiply({seen, values, y, rows, w.out, w.in, w.out, narrow_}, machine_.stream());
}

void Multiplier::add(const Update* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out) {
  if (update == nullptr) return;
  slots_.inner.reserve(rows * update->rank * kFloat);
  float* inner = slots_.inner.as<float>();
  machine_.products.multiply({x, update->a, inner, rows, update->rank, in, update->rank, false}, machine_.stream());
  machine_.products.multiply({inner, update->b, y, rows, out, update->rank, out, false, update->scale, true}, machine_.stream());
}

}  // namespace deltascope::cuda
