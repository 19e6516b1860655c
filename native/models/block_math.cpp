#include "models/block_math.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace deltascope {

void resize_for(std::vector<float>& buffer, int64_t values) {
  const auto count = static_cast<size_t>(values);
  if (buffer.capacity() < count) {
    std::vector<float>().swap(buffer);
    buffer.reserve(count);
  }
  buffer.resize(count);
}

void apply_norm(const ModelSpec& spec, const NormValues& norm, const float* x, float* y, int64_t rows,
                int64_t width) {
  if (spec.norm == Norm::rms) {
    rms_norm(x, width, norm.gamma.data(), spec.norm_eps, y, width, rows, width);
  } else {
    layer_norm(x, width, norm.gamma.data(), norm.beta.data(), spec.norm_eps, y, width, rows, width);
  }
}

AttentionShape attention_shape(const ModelSpec& spec, const BlockSpec& own) {
  const float scale = own.attention_scale == 0 ? spec.attention_scale : own.attention_scale;
  return {spec.heads, spec.kv_heads, spec.head_dim, scale, spec.attention_softcap, own.window};
}

namespace {

/// up, or gate and up, become the activated values in the buffer that is returned.
float* activate(const ModelSpec& spec, float* gate, float* up, int64_t count) {
  if (!spec.gated_mlp) {
    gelu_tanh(up, count);
    return up;
  }
  if (spec.activation == Activation::gelu_tanh) {
    gelu_tanh_gate(gate, up, count);
  } else {
    silu_gate(gate, up, count);
  }
  return gate;
}

/// A token's share of one expert.
struct Share {
  int32_t row;
  float weight;
};

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

void BlockMath::add_attention(std::span<const int32_t> positions, float* k, float* v, int64_t rows,
                              float* x) const {
  BlockScratch& s = scratch;
  const int64_t d = spec.d_model, q_width = spec.heads * spec.head_dim,
                kv_width = spec.kv_heads * spec.head_dim;
  resize_for(s.normed, rows * d);
  resize_for(s.q, rows * q_width);
  resize_for(s.attended, rows * q_width);
  resize_for(s.projected, rows * d);
  float* q = s.q.data();
  const float* in = x;
  if (norms.before_attention) {
    apply_norm(spec, norms.before_attention, x, s.normed.data(), rows, d);
    in = s.normed.data();
  }
  steps.linear(Role::q, in, q, rows);
  steps.linear(Role::k, in, k, rows);
  steps.linear(Role::v, in, v, rows);
  if (spec.qk_norm != QkNorm::none) {
    const bool whole = spec.qk_norm == QkNorm::row;
    apply_norm(spec, norms.q, q, q, whole ? rows : rows * spec.heads, whole ? q_width : spec.head_dim);
    apply_norm(spec, norms.k, k, k, whole ? rows : rows * spec.kv_heads, whole ? kv_width : spec.head_dim);
  }
  if (!angles.empty()) {
    const RotaryAngles& turned = angles[own.rotary];
    apply_rotary(q, q_width, positions, spec.heads, spec.head_dim, turned);
    apply_rotary(k, kv_width, positions, spec.kv_heads, spec.head_dim, turned);
  }
  steps.look_back(q, s.attended.data(), rows);
  steps.linear(Role::o, s.attended.data(), s.projected.data(), rows);
  if (norms.after_attention) {
    apply_norm(spec, norms.after_attention, s.projected.data(), s.projected.data(), rows, d);
  }
  add(x, d, s.projected.data(), d, rows, d);
}

void BlockMath::add_mlp(int64_t rows, float* x) const {
  BlockScratch& s = scratch;
  const int64_t d = spec.d_model;
  resize_for(s.normed, rows * d);
  resize_for(s.projected, rows * d);
  resize_for(s.gate, spec.gated_mlp ? rows * spec.d_mlp : 0);
  resize_for(s.up, rows * spec.d_mlp);
  const float* in = x;
  if (norms.before_mlp) {
    apply_norm(spec, norms.before_mlp, x, s.normed.data(), rows, d);
    in = s.normed.data();
  }
  if (spec.gated_mlp) steps.linear(Role::gate, in, s.gate.data(), rows);
  steps.linear(Role::up, in, s.up.data(), rows);
  const float* active = activate(spec, s.gate.data(), s.up.data(), rows * spec.d_mlp);
  steps.linear(Role::down, active, s.projected.data(), rows);
  if (norms.after_mlp) {
    apply_norm(spec, norms.after_mlp, s.projected.data(), s.projected.data(), rows, d);
  }
  add(x, d, s.projected.data(), d, rows, d);
}

void BlockMath::add_experts(int64_t rows, int64_t chunk, float* x) const {
  BlockScratch& s = scratch;
  const int64_t d = spec.d_model, width = spec.d_expert;
  resize_for(s.expert_in, rows * d);
  s.expert_out.assign(static_cast<size_t>(rows * d), 0.0f);
  resize_for(s.router, chunk * spec.experts);
  resize_for(s.gate, chunk * width);
  resize_for(s.up, chunk * width);
  resize_for(s.normed, chunk * d);
  resize_for(s.projected, chunk * d);

  std::vector<std::vector<Share>> shares(static_cast<size_t>(spec.experts));
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t here = std::min(chunk, rows - first);
    float* in = s.expert_in.data() + first * d;
    apply_norm(spec, norms.before_mlp, x + first * d, in, here, d);
    steps.linear(Role::router, in, s.router.data(), here);
    for (int64_t row = 0; row < here; ++row) {
      choose_experts(s.router.data() + row * spec.experts, spec.experts, spec.experts_per_token,
                     spec.renormalise_experts, static_cast<int32_t>(first + row), shares);
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
      for (int64_t i = 0; i < here; ++i)
        std::copy_n(s.expert_in.data() + some[static_cast<size_t>(i)].row * d, d, s.normed.data() + i * d);
      steps.expert_linear(expert, Role::gate, s.normed.data(), s.gate.data(), here);
      steps.expert_linear(expert, Role::up, s.normed.data(), s.up.data(), here);
      steps.expert_linear(expert, Role::down, activate(spec, s.gate.data(), s.up.data(), here * width),
                          s.projected.data(), here);
      for (int64_t i = 0; i < here; ++i) {
        const auto [row, weight] = some[static_cast<size_t>(i)];
        for (int64_t j = 0; j < d; ++j) {
          s.expert_out[static_cast<size_t>(row * d + j)] +=
              weight * s.projected[static_cast<size_t>(i * d + j)];
        }
      }
    }
  }
  add(x, d, s.expert_out.data(), d, rows, d);
}

}  // namespace deltascope
