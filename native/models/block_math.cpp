#include "models/block_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace deltascope {

AttentionShape attention_shape(const ModelSpec& spec, const BlockSpec& own) {
  const float scale = own.attention_scale == 0 ? spec.attention_scale : own.attention_scale;
  return {spec.heads, spec.kv_heads, spec.head_dim, scale, spec.attention_softcap, own.window};
}

namespace {

/// The experts that a row of router logits chooses: the `count` most probable under a softmax, in the order
/// of their numbers, with their probabilities (scaled to a sum of 1 when asked).
void choose_experts(const float* logits, int64_t experts, int64_t count, bool renormalise, int32_t row,
                    std::vector<std::vector<Share>>& shares) {
  std::vector<int32_t> order(static_cast<size_t>(experts));
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int32_t expert) { return std::isnan(logits[expert]) ? -INFINITY : logits[expert]; };
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int32_t a, int32_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  double sum = 0, chosen = 0;
  const auto power = [&](int32_t expert) {
    return std::exp(static_cast<double>(logits[expert]) - logits[order[0]]);
  };
  for (int32_t expert = 0; expert < experts; ++expert) sum += power(expert);
  for (int64_t i = 0; i < count; ++i) chosen += power(order[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < count; ++i) {
    const int32_t expert = order[static_cast<size_t>(i)];
    shares[static_cast<size_t>(expert)].push_back(
        {row, static_cast<float>(power(expert) / (renormalise ? chosen : sum))});
  }
}

}  // namespace

void BlockMath::add_attention(float* k, float* v, int64_t rows, float* x) const {
  const int64_t d = spec.d_model, q_width = spec.heads * spec.head_dim,
                kv_width = spec.kv_heads * spec.head_dim;
  float *normed = steps.slot(Slot::normed, rows * d), *q = steps.slot(Slot::q, rows * q_width),
        *attended = steps.slot(Slot::attended, rows * q_width), *projected = steps.slot(Slot::projected, rows * d);
  const float* in = x;
  if (steps.has(NormSite::before_attention)) {
    steps.norm(NormSite::before_attention, x, normed, rows, d);
    in = normed;
  }
  steps.linear(in, std::array<BlockSteps::Product, 3>{{{Role::q, q}, {Role::k, k}, {Role::v, v}}}, rows);
  if (spec.qk_norm != QkNorm::none) {
    const bool whole = spec.qk_norm == QkNorm::row;
    steps.norm(NormSite::q, q, q, whole ? rows : rows * spec.heads, whole ? q_width : spec.head_dim);
    steps.norm(NormSite::k, k, k, whole ? rows : rows * spec.kv_heads, whole ? kv_width : spec.head_dim);
  }
  if (!spec.rotary.empty()) {
    steps.rotate(q, spec.heads, rows);
    steps.rotate(k, spec.kv_heads, rows);
  }
  steps.look_back(q, attended, rows);
  steps.linear(Role::o, attended, projected, rows);
  if (steps.has(NormSite::after_attention)) steps.norm(NormSite::after_attention, projected, projected, rows, d);
  steps.add(x, projected, rows * d);
}

void BlockMath::add_mlp(int64_t rows, float* x) const {
  const int64_t d = spec.d_model;
  float *normed = steps.slot(Slot::normed, rows * d), *projected = steps.slot(Slot::projected, rows * d),
        *gate = steps.slot(Slot::gate, spec.gated_mlp ? rows * spec.d_mlp : 0),
        *up = steps.slot(Slot::up, rows * spec.d_mlp);
  const float* in = x;
  if (steps.has(NormSite::before_mlp)) {
    steps.norm(NormSite::before_mlp, x, normed, rows, d);
    in = normed;
  }
  const BlockSteps::Product products[] = {{Role::up, up}, {Role::gate, gate}};
  steps.linear(in, std::span(products).first(spec.gated_mlp ? 2 : 1), rows);
  const float* active = steps.activate(gate, up, rows * spec.d_mlp);
  steps.linear(Role::down, active, projected, rows);
  if (steps.has(NormSite::after_mlp)) steps.norm(NormSite::after_mlp, projected, projected, rows, d);
  steps.add(x, projected, rows * d);
}

void BlockMath::add_experts(int64_t rows, int64_t chunk, float* x) const {
  const int64_t d = spec.d_model, width = spec.d_expert;
  float *all_in = steps.slot(Slot::expert_in, rows * d), *all_out = steps.slot(Slot::expert_out, rows * d);
  float* router = steps.slot(Slot::router, chunk * spec.experts);
  float *gate = steps.slot(Slot::gate, chunk * width), *up = steps.slot(Slot::up, chunk * width);
  float *normed = steps.slot(Slot::normed, chunk * d), *projected = steps.slot(Slot::projected, chunk * d);
  steps.clear(all_out, rows * d);

  std::vector<std::vector<Share>> shares(static_cast<size_t>(spec.experts));
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t here = std::min(chunk, rows - first);
    float* in = all_in + first * d;
    steps.norm(NormSite::before_mlp, x + first * d, in, here, d);
    steps.linear(Role::router, in, router, here);
    const float* logits = steps.read(router, here * spec.experts);
    for (int64_t row = 0; row < here; ++row) {
      choose_experts(logits + row * spec.experts, spec.experts, spec.experts_per_token, spec.renormalise_experts,
                     static_cast<int32_t>(first + row), shares);
    }
  }
  for (int64_t expert = 0; expert < spec.experts; ++expert) {
    const std::vector<Share>& chosen = shares[static_cast<size_t>(expert)];
    if (chosen.empty()) continue;
    job.throw_if_cancelled();
    steps.begin_expert(expert);
    for (size_t first = 0; first < chosen.size(); first += static_cast<size_t>(chunk)) {
      const auto some =
          std::span(chosen).subspan(first, std::min(static_cast<size_t>(chunk), chosen.size() - first));
      const auto here = static_cast<int64_t>(some.size());
      steps.gather(all_in, some, normed, d);
      steps.expert_linear(expert, Role::gate, normed, gate, here);
      steps.expert_linear(expert, Role::up, normed, up, here);
      steps.expert_linear(expert, Role::down, steps.activate(gate, up, here * width), projected, here);
      steps.add_shares(all_out, some, projected, d);
    }
  }
  steps.add(x, all_out, rows * d);
}

}  // namespace deltascope
