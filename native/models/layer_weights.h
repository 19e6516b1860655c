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

  const float* input_norm() const { return input_norm_.data(); }
  const float* post_attention_norm() const { return post_attention_norm_.data(); }
  /// [head_dim]; meaningful when the spec has qk_norm.
  const float* q_norm() const { return q_norm_.data(); }
  const float* k_norm() const { return k_norm_.data(); }
  /// [out, in]
  const float* weight(Role role) const { return weight_[static_cast<size_t>(role)].data(); }
  /// [out], or null
  const float* bias(Role role) const {
    const auto& values = bias_[static_cast<size_t>(role)];
    return values.empty() ? nullptr : values.data();
  }

  /// Bytes that a block of this model takes.
  static int64_t bytes(const ModelSpec& spec);

 private:
  std::vector<float> input_norm_, post_attention_norm_, q_norm_, k_norm_;
  std::vector<float> weight_[kRoleCount], bias_[kRoleCount];
};

/// Tells the system which block is wanted next, so that its pages are read while this one computes.
void prefetch_layer(const Model& model, int64_t layer);

}  // namespace deltascope
