#pragma once

#include <memory>
#include <mutex>

#include "cuda/head.h"
#include "cuda/logit_kernels.h"
#include "models/unembedding.h"

namespace deltascope::cuda {

/// Readings of logits on the device, of as many rows at once as the memory set aside for them holds whole. The weights stay there
/// from the first reading on, where there is room (`kept_room`).
class CudaUnembedding final : public Unembedding {
 public:
  CudaUnembedding(std::shared_ptr<Machine> machine, const Model& model) : machine_(std::move(machine)), model_(model) {}

  int64_t rows_together() const override;
  void logits(const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) const override;
  std::vector<LensReading> lens(const float* vectors, int64_t rows, int64_t k, Job& job) const override;
  std::vector<double> losses(const float* vectors, int64_t rows, std::span<const int32_t> first, std::span<const int32_t> ids,
                             Job& job) const override;
  std::vector<std::vector<LikelyToken>> averages(const float* vectors, int64_t lists, const Averaging& how,
                                                 Job& job) const override;

 private:
  class Rows;
  struct Ranked;
  /// Bytes that the weights may take to stay: a quarter of what is free then, so that trees and texts find their room.
  static int64_t kept_room() { return free_bytes() / 4; }
  const Head& head(const Job& job) const;

  std::shared_ptr<Machine> machine_;
  const Model& model_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Head> head_;  // when it was first needed
};

}  // namespace deltascope::cuda
