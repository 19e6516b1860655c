#include "host/block_steps.h"

#include <algorithm>

#include "models/apply_norm.h"
#include "ops/activation.h"
#include "ops/elementwise.h"

namespace deltascope {

void resize_for(std::vector<float>& buffer, int64_t values) {
  const auto count = static_cast<size_t>(values);
  if (buffer.capacity() < count) {
    std::vector<float>().swap(buffer);
    buffer.reserve(count);
  }
  buffer.resize(count);
}

float* HostSteps::slot(Slot slot, int64_t values) {
  std::vector<float>& buffer = slots_.values[static_cast<size_t>(slot)];
  resize_for(buffer, values);
  return buffer.data();
}

const NormValues& HostSteps::norm_at(NormSite site) const {
  switch (site) {
    case NormSite::before_attention:
      return norms_.before_attention;
    case NormSite::after_attention:
      return norms_.after_attention;
    case NormSite::before_mlp:
      return norms_.before_mlp;
    case NormSite::after_mlp:
      return norms_.after_mlp;
    case NormSite::q:
      return norms_.q;
    case NormSite::k:
      break;
  }
  return norms_.k;
}

void HostSteps::norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) {
  apply_norm(spec_, norm_at(site), x, y, rows, width);
}

void HostSteps::rotate(float* x, int64_t heads, int64_t) {
  apply_rotary(x, heads * spec_.head_dim, positions, heads, spec_.head_dim, angles_[own_.rotary]);
}

float* HostSteps::activate(float* gate, float* up, int64_t count) {
  if (!spec_.gated_mlp) {
    gelu_tanh(up, count);
    return up;
  }
  if (spec_.activation == Activation::gelu_tanh) {
    gelu_tanh_gate(gate, up, count);
  } else {
    silu_gate(gate, up, count);
  }
  return gate;
}

void HostSteps::add(float* x, const float* y, int64_t count) {
  deltascope::add(x, spec_.d_model, y, spec_.d_model, count / spec_.d_model, spec_.d_model);
}

void HostSteps::clear(float* x, int64_t count) { std::fill_n(x, count, 0.0f); }

const float* HostSteps::read(const float* x, int64_t) { return x; }

void HostSteps::gather(const float* from, std::span<const Share> shares, float* to, int64_t width) {
  for (size_t i = 0; i < shares.size(); ++i)
    std::copy_n(from + shares[i].row * width, width, to + static_cast<int64_t>(i) * width);
}

void HostSteps::add_shares(float* to, std::span<const Share> shares, const float* from, int64_t width) {
  for (size_t i = 0; i < shares.size(); ++i) {
    const auto [row, weight] = shares[i];
    for (int64_t j = 0; j < width; ++j) to[row * width + j] += weight * from[static_cast<int64_t>(i) * width + j];
  }
}

}  // namespace deltascope
