#pragma once

#include <memory>

#include "cuda/adapter.h"
#include "cuda/block_weights.h"

namespace deltascope::cuda {

/// The final norm and unembedding of a model on the device, with what an adapter adds. The weights stay there where there is
/// room; else they are brought, some rows at a time, whenever they are needed.
class Head {
 public:
  Head(std::shared_ptr<Machine> machine, const Model& model);

  static int64_t weight_bytes(const Model& model);

  /// Reads the weights, to stay, where they take at most `room` bytes. Before anybody else uses it. Throws FILE_CHANGED,
  /// FILE_UNREADABLE, CANCELLED, OUT_OF_MEMORY.
  void keep(int64_t room, const Job& job);
  bool keeps_weights() const { return kept_.values != nullptr; }

  /// The final norm; y may be x.
  void norm(const float* x, float* y, int64_t rows) const;

  /// visit(weights, first) for the rows of the vocabulary from `first` on, at most `most` of them at once, in their order; the
  /// weights are there for what is asked of the compute stream before the next visit. `stage`: the caller's own, so that several
  /// may visit at once.
  template <typename Visit>
  void visit(int64_t most, Stage& stage, const Job& job, const Visit& visit) const {
    for (int64_t first = 0; first < vocabulary_; first += most) {
      const int64_t count = first + most < vocabulary_ ? most : vocabulary_ - first;
      visit(keeps_weights() ? kept_rows(first, count) : bring(first, count, stage, job), first);
    }
  }

  const Update* update() const { return adapter_.head(); }

 private:
  Matrix kept_rows(int64_t first, int64_t count) const;
  Matrix bring(int64_t first, int64_t count, Stage& stage, const Job& job) const;

  std::shared_ptr<Machine> machine_;
  const Model& model_;
  const int64_t vocabulary_;
  DType dtype_;
  DeviceBytes memory_, factors_;  // of the norm: factors, then shifts
  Matrix kept_;                   // nothing where the weights are not kept
  DeviceAdapter adapter_;
};

}  // namespace deltascope::cuda
