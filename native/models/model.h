#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "format/checkpoint.h"
#include "models/adapter.h"
#include "models/model_spec.h"

namespace deltascope {

/// An opened model: config read, every weight found and its shape checked, nothing loaded yet. Immutable once
/// open; any number of computations may read it at once.
class Model {
 public:
  /// folder: a checkpoint. adapter: a PEFT folder, or "" for none.
  /// Throws what read_model_spec, Checkpoint and Adapter throw, and INVALID_WEIGHTS when a tensor is missing,
  /// has another shape, or is not understood.
  Model(const std::string& folder, const std::string& adapter);

  const ModelSpec& spec() const { return spec_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  const Adapter* adapter() const { return adapter_.get(); }
  /// Weights of the checkpoint, a tied head counted once.
  int64_t parameters() const { return parameters_; }
  /// Torch name of the type that most weights are stored in.
  const std::string& stored_dtype() const { return stored_dtype_; }

  /// The names below are found and shape-checked by the constructor.
  struct BlockTensors {
    // Null where the architecture has no such norm.
    const TensorInfo *norm_before_attention, *norm_after_attention, *norm_before_mlp, *norm_after_mlp;
    const TensorInfo *q_norm, *k_norm;
    const TensorInfo* weight[kRoleCount];
    const TensorInfo* bias[kRoleCount];
  };
  const BlockTensors& block(int64_t layer) const { return blocks_[static_cast<size_t>(layer)]; }
  /// Where the decoder's tensors stand in the checkpoint, e.g. "model.".
  const std::string& tensor_prefix() const { return prefix_; }
  const TensorInfo& embedding() const { return *embedding_; }
  const TensorInfo& final_norm() const { return *final_norm_; }
  const TensorInfo& head() const { return *head_; }

 private:
  ModelSpec spec_;
  Checkpoint checkpoint_;
  std::string prefix_;
  std::unique_ptr<Adapter> adapter_;
  std::vector<BlockTensors> blocks_;
  const TensorInfo *embedding_ = nullptr, *final_norm_ = nullptr, *head_ = nullptr;
  int64_t parameters_ = 0;
  std::string stored_dtype_;
};

}  // namespace deltascope
