#pragma once

#include <memory>
#include <vector>

#include "decode/decode_weights.h"
#include "decode/text_blocks.h"
#include "host/block_steps.h"

namespace deltascope {

/// Blocks over growing texts on the processor, by products of few rows. Threads: OpenMP's setting, or the current team.
class HostTextBlocks final : public TextBlocks {
 public:
  HostTextBlocks(const Model& model, int64_t weights_budget);

  void forget() override;
  bool drop_weights() override { return false; }  // nothing else needs their room
  void remember(int64_t layer, const float* keys, const float* values, int64_t nodes, int64_t expected) override;
  void put(const float* x, int64_t rows) override;
  void run(int64_t layer, const TextEnds& ends, Job& job) override;
  void steer(std::span<const float> vector, std::span<const float> strengths) override;
  std::vector<float> logits(const Job& job) override;
  std::vector<int32_t> choose(const Choice& choice, const Job& job) override;

 private:
  class Steps;
  struct Memory {
    std::vector<float> keys, values;  // [nodes, kv_heads · head_dim]
  };
  DecodeWeights& weights(const Job& job);

  const Model& model_;
  const int64_t weights_budget_;
  std::unique_ptr<DecodeWeights> weights_;  // read when first needed
  std::vector<RotaryAngles> angles_;
  std::vector<Memory> memory_;  // by block
  std::vector<float> x_, logits_;
  int64_t rows_ = 0;
  HostSlots slots_;
};

}  // namespace deltascope
