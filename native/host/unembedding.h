#pragma once

#include "models/model.h"
#include "models/unembedding.h"

namespace deltascope {

/// On the processor: the head is read block by block for every call, and no more of the logits is held than a reading needs.
class HostUnembedding final : public Unembedding {
 public:
  explicit HostUnembedding(const Model& model) : model_(model) {}

  int64_t rows_together() const override { return 384; }
  void logits(const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) const override;
  std::vector<LensReading> lens(const float* vectors, int64_t rows, int64_t k, Job& job) const override;
  std::vector<double> losses(const float* vectors, int64_t rows, std::span<const int32_t> first, std::span<const int32_t> ids,
                             Job& job) const override;
  std::vector<std::vector<LikelyToken>> averages(const float* vectors, int64_t lists, const Averaging& how,
                                                 Job& job) const override;

 private:
  const Model& model_;
};

}  // namespace deltascope
