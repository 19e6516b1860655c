#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cuda/block_steps.h"
#include "cuda/head.h"
#include "cuda/token_chooser.h"
#include "decode/text_blocks.h"

namespace deltascope::cuda {

/// Blocks over growing texts on the device, by products of few rows. The blocks and the head that fit into the budget stay there;
/// the others are brought again for every token.
class CudaTextBlocks final : public TextBlocks {
 public:
  CudaTextBlocks(std::shared_ptr<Machine> machine, const Model& model, int64_t weights_budget);
  ~CudaTextBlocks() override;

  void forget() override;
  bool drop_weights() override;
  void remember(int64_t layer, const float* keys, const float* values, int64_t nodes, int64_t expected) override;
  void put(const float* x, int64_t rows) override;
  void run(int64_t layer, const TextEnds& ends, Job& job) override;
  void steer(std::span<const float> vector, std::span<const float> strengths) override;
  std::vector<float> logits(const Job& job) override;
  std::vector<int32_t> choose(const Choice& choice, const Job& job) override;

 private:
  class Steps;
  /// What is remembered of a block.
  struct Memory {
    DeviceBytes keys, values;  // [nodes, kv_heads · head_dim]
    int64_t nodes = 0;
  };
  /// A block that stays, with its experts.
  struct Kept {
    DeviceBytes memory;
    Block block;
    std::vector<DeviceBytes> expert_memory;
    std::vector<Expert> experts;
  };

  void keep_weights(const Job& job);
  float* compute_logits(const Job& job);
  void grow(Memory& memory, int64_t nodes, int64_t room);
  void look_at(const TextEnds& ends);
  void add_update(const Update* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out);
  const uint8_t* bring_kept(DeviceBytes& memory, int64_t bytes, const std::function<void(uint8_t*)>& read);

  std::shared_ptr<Machine> machine_;
  const Model& model_;
  int64_t weights_budget_;
  bool weights_read_ = false;
  std::vector<Kept> kept_;  // the first blocks
  std::unique_ptr<Head> head_;
  DeviceAdapter adapter_;
  Stage stage_, experts_;
  Angles angles_;
  std::vector<Memory> memory_;  // by block
  AttentionPlan plan_;
  const int32_t* planned_ = nullptr;  // which ends the plan is for
  size_t planned_nodes_ = 0;
  DeviceBytes positions_, x_, logits_, steering_;
  int64_t rows_ = 0;
  TokenChooser chooser_;
  Slots slots_;
};

}  // namespace deltascope::cuda
