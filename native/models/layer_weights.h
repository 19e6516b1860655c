#pragma once

#include <cstdint>
#include <vector>

#include "models/model.h"

namespace deltascope {

/// The weights of one decoder block, widened to float32. One object is reused for block after block.
class LayerWeights {
 public:
  /// Loads block `layer`. Throws FILE_UNREADABLE when the file was cut meanwhile.
  void load(const Model& model, int64_t layer);

  /// Factors of the norms, 1 + weight where the spec says so: [d_model], q and k [head_dim]. Null where the
  /// architecture has no such norm.
  const float* norm_before_attention() const { return or_null(norm_before_attention_); }
  const float* norm_after_attention() const { return or_null(norm_after_attention_); }
  const float* norm_before_mlp() const { return or_null(norm_before_mlp_); }
  const float* norm_after_mlp() const { return or_null(norm_after_mlp_); }
  const float* q_norm() const { return or_null(q_norm_); }
  const float* k_norm() const { return or_null(k_norm_); }
  /// [out, in]
  const float* weight(Role role) const { return weight_[static_cast<size_t>(role)].data(); }
  /// [out], or null
  const float* bias(Role role) const { return or_null(bias_[static_cast<size_t>(role)]); }

  /// Bytes that a block of this model takes.
  static int64_t bytes(const ModelSpec& spec);

 private:
  static const float* or_null(const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data();
  }

  std::vector<float> norm_before_attention_, norm_after_attention_, norm_before_mlp_, norm_after_mlp_;
  std::vector<float> q_norm_, k_norm_;
  std::vector<float> weight_[kRoleCount], bias_[kRoleCount];
};

/// A norm's factors: the weight widened, plus one where the spec says so. Empty for no tensor.
std::vector<float> norm_factors(const Model& model, const TensorInfo* weight);

/// Tells the system which block is wanted next, so that its pages are read while this one computes.
void prefetch_layer(const Model& model, int64_t layer);

}  // namespace deltascope
