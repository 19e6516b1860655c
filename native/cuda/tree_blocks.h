#pragma once

#include <memory>
#include <vector>

#include "cuda/block_steps.h"
#include "models/tree_blocks.h"

namespace deltascope::cuda {

/// Blocks over trees on the device. What is asked of it is enqueued; the weights of the next block are read and copied while the
/// last one computes.
class CudaTreeBlocks final : public TreeBlocks {
 public:
  CudaTreeBlocks(std::shared_ptr<Machine> machine, std::vector<const Model*> models);
  ~CudaTreeBlocks() override;

  void begin(const PrefixTree& tree) override;
  void enter(size_t model, const Entry& entry) override;
  void copy_first(size_t to) override;
  int64_t load(size_t model, int64_t layer, const Job& job) override;
  void run(size_t model, int64_t layer, NotFinite& not_finite, Job& job,
           const std::function<void(int64_t nodes)>& report) override;
  const float* residual(size_t model) override;
  const float* keys() const override { return keys_.as<float>(); }
  const float* values() const override { return values_.as<float>(); }
  void add_moments(size_t finetuned, const PairSamples& samples, std::span<Moments> moments) override;
  int64_t fixed_bytes() const override;
  int64_t bytes_per_node(int64_t longest) const override;
  int64_t default_budget() const override;

 private:
  class Steps;
  struct HostRows {
    std::unique_ptr<float[]> values;
    int64_t room = 0;
  };
  int64_t row_bytes() const;
  void reserve(int64_t chunk);
  void release();
  template <typename Work>
  auto or_release(const Work& work);

  std::shared_ptr<Machine> machine_;
  std::vector<const Model*> models_;
  std::vector<DeviceAdapter> adapters_;
  int64_t chunk_rows_;
  const PrefixTree* tree_ = nullptr;
  Stage blocks_, experts_;
  Block block_;  // the one last loaded
  std::vector<DeviceBytes> residuals_;  // [models]
  std::vector<HostRows> host_;          // the same, where the host reads them
  std::vector<Angles> angles_;          // [models]
  std::vector<AttentionPlan> plans_;    // [models]
  DeviceBytes positions_, keys_, values_;
  DeviceBytes sums_, samples_;
  Slots slots_;
};

}  // namespace deltascope::cuda
