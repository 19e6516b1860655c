#pragma once

#include <vector>

#include "host/block_steps.h"
#include "models/adapter.h"
#include "models/tree_blocks.h"

namespace deltascope {

/// Blocks over trees on the processor. The wide buffers hold one chunk of rows; keys and values hold every node of the tree,
/// for one block of one model at a time. Threads: OpenMP's setting of the calling thread.
class HostTreeBlocks final : public TreeBlocks {
 public:
  explicit HostTreeBlocks(std::vector<const Model*> models);

  void begin(const PrefixTree& tree) override;
  void enter(size_t model, const Entry& entry) override { entry(0, tree_->nodes(), residuals_[model].data()); }
  void copy_first(size_t to) override { residuals_[to] = residuals_[0]; }
  int64_t load(size_t model, int64_t layer, const Job& job) override;
  void run(size_t model, int64_t layer, NotFinite& not_finite, Job& job,
           const std::function<void(int64_t nodes)>& report) override;
  const float* residual(size_t model) override { return residuals_[model].data(); }
  const float* keys() const override { return keys_.data(); }
  const float* values() const override { return values_.data(); }
  void add_moments(size_t finetuned, const PairSamples& samples, std::span<Moments> moments) override;
  int64_t fixed_bytes() const override;
  int64_t bytes_per_node(int64_t longest) const override;
  int64_t default_budget() const override;

 private:
  class Steps;
  void add_low_rank(const LowRank* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out, const Job& job);

  std::vector<const Model*> models_;
  int64_t chunk_rows_;
  const PrefixTree* tree_ = nullptr;
  LayerWeights weights_;  // of the block and model at work
  ExpertWeights expert_;
  std::vector<std::vector<float>> residuals_;      // [models]
  std::vector<std::vector<RotaryAngles>> angles_;  // [models][rotary tables]
  HostSlots slots_;
  std::vector<float> low_rank_;
  std::vector<float> keys_, values_;
};

}  // namespace deltascope
