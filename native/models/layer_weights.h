#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace deltascope {

/// A norm's factors (1 + weight where the spec says so) and shifts, widened. Empty for no norm.
struct NormValues {
  std::vector<float> gamma, beta;

  explicit operator bool() const { return !gamma.empty(); }
};

/// Reads a norm. `not_finite` grows by the values that are NaN or infinite.
NormValues read_norm(const NormWeight& norm, bool plus_one, int64_t& not_finite);

/// The norms of one decoder block: [d_model] each; q and k: [head_dim], or their whole row. Empty where the architecture has
/// no such norm.
struct BlockNorms {
  NormValues before_attention, after_attention, before_mlp, after_mlp, q, k;

  /// Reads those of block `layer`; as read_norm.
  void load(const Model& model, int64_t layer, int64_t& not_finite);
};

/// One linear layer, packed; no bias: empty.
struct LinearValues {
  PackedMatrix weight;
  std::vector<float> bias;
};

/// The weights of one decoder block, its experts apart. One object is reused for block after block.
class LayerWeights {
 public:
  /// Loads block `layer`. Throws FILE_CHANGED or FILE_UNREADABLE when a file was written to meanwhile.
  void load(const Model& model, int64_t layer);

  BlockNorms norms;

  const LinearValues& linear(Role role) const { return linear_[static_cast<size_t>(role)]; }

  /// Values of this block that are NaN or infinite.
  int64_t not_finite() const { return not_finite_; }

  /// Bytes that the largest block of this model takes.
  static int64_t bytes(const Model& model);

 private:
  LinearValues linear_[kRoleCount];
  int64_t not_finite_ = 0;
};

/// One expert's gate, up and down.
class ExpertWeights {
 public:
  void load(const Model& model, int64_t layer, int64_t expert);

  const PackedMatrix& weight(Role role) const { return weight_[static_cast<size_t>(role)]; }
  int64_t not_finite() const { return not_finite_; }

  static int64_t bytes(const Model& model);

 private:
  PackedMatrix weight_[kRoleCount];
  int64_t not_finite_ = 0;
};

/// Tells the system which block is wanted next, so that its pages are read while this one computes.
void prefetch_layer(const Model& model, int64_t layer);

}  // namespace deltascope
