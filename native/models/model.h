#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/job.h"
#include "format/checkpoint.h"
#include "models/adapter.h"
#include "models/backend.h"
#include "models/model_spec.h"
#include "models/weight.h"

namespace deltascope {

/// An opened model: config read, every weight found and its shape checked, nothing loaded yet. Immutable once
/// open; any number of computations may read it at once.
class Model {
 public:
  /// folder: a checkpoint. adapter: a PEFT folder, or "" for none. precision: of the linear layers' products.
  /// Throws CANCELLED within milliseconds of the job's flag, what read_model_spec, Checkpoint and Adapter throw, and INVALID_WEIGHTS when a tensor is missing,
  /// has another shape, or is not understood.
  /// backend: where it is computed.
  Model(const std::string& folder, const std::string& adapter, Precision precision = Precision::float32,
        const Job& job = Job(), std::shared_ptr<const Backend> backend = host_backend());

  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();

  const Backend& backend() const { return *backend_; }
  /// The way from residual streams to logits, in the backend's memory.
  const Unembedding& unembedding() const { return *unembedding_; }

  const ModelSpec& spec() const { return spec_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  const Adapter* adapter() const { return adapter_.get(); }
  Precision precision() const { return precision_; }
  /// Weights of the checkpoint, a tied head counted once.
  int64_t parameters() const { return parameters_; }
  /// Torch name of the type that most weights are stored in.
  const std::string& stored_dtype() const { return stored_dtype_; }

  /// Where a block's tensors are, found and shape-checked by the constructor. Nothing where the architecture has no such.
  struct BlockTensors {
    NormWeight norm_before_attention, norm_after_attention, norm_before_mlp, norm_after_mlp, q_norm, k_norm;
    LinearWeight linear[kRoleCount];
    std::vector<std::array<LinearWeight, 3>> experts;  // gate, up, down
  };
  const BlockTensors& block(int64_t layer) const { return blocks_[static_cast<size_t>(layer)]; }
  const LinearWeight& expert(int64_t layer, int64_t expert, Role role) const;
  const Weight& embedding() const { return embedding_; }
  /// [learned positions, d_model]; nothing where the architecture has none.
  const Weight& positions() const { return positions_; }
  const NormWeight& final_norm() const { return final_norm_; }
  const Weight& head() const { return head_; }

  /// Whether both models' blocks are the same tensors of the same files and computed in the same way, LoRA updates
  /// apart: loading one serves both.
  bool shares_blocks(const Model& other) const;

  /// Throws FILE_CHANGED when a file was written to or cut since it was opened.
  void require_unchanged() const;

 private:
  class Finder;

  ModelSpec spec_;
  Checkpoint checkpoint_;
  Precision precision_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<Adapter> adapter_;
  std::vector<BlockTensors> blocks_;
  Weight embedding_, positions_, head_;
  NormWeight final_norm_;
  int64_t parameters_ = 0;
  std::string stored_dtype_;
  std::unique_ptr<Unembedding> unembedding_;
};

}  // namespace deltascope
