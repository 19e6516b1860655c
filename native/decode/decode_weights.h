#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "core/job.h"
#include "models/layer_weights.h"
#include "models/model.h"
#include "ops/row_matrix.h"

namespace deltascope {

/// A model's weights for decoding, as they are stored (rounded to bfloat16 where products are computed from
/// that). The head and as many blocks as a budget allows are read once and kept, the others are read whenever
/// they are needed.
class DecodeWeights {
 public:
  /// Reads what fits into `budget` bytes. Throws FILE_CHANGED, FILE_UNREADABLE, CANCELLED.
  DecodeWeights(const Model& model, int64_t budget, const Job& job);

  /// Bytes of the whole model's weights as kept here, norms and an adapter's updates apart.
  static int64_t bytes(const Model& model);

  /// Makes a block ready: what follows is about it. Throws as the constructor.
  void begin_block(int64_t layer, const Job& job);
  const BlockNorms& norms() const { return at_->norms; }

  /// y = W x + bias + scale · B (A x), over dense rows.
  void linear(Role role, const float* x, float* y, int64_t rows, const Job& job);

  /// The same for an expert of this block; begin_expert comes first.
  void begin_expert(int64_t expert, const Job& job);
  void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows, const Job& job);

  /// Logits [rows, vocabulary] of residual streams [rows, d_model]: final norm, unembedding and soft cap.
  void logits(const float* x, float* out, int64_t rows, const Job& job);

 private:
  struct Linear {
    RowMatrix weight;
    std::vector<float> bias;
  };
  struct Update {
    float scale = 0;
    RowMatrix a, b;  // [rank, in], [out, rank]
  };
  struct Block {
    BlockNorms norms;
    Linear linear[kRoleCount];
    std::vector<std::array<RowMatrix, 3>> experts;  // gate, up, down; empty unless the block is kept
  };

  void load(Block& block, int64_t layer, const Job& job) const;
  void load_expert(std::array<RowMatrix, 3>& expert, int64_t layer, int64_t number, const Job& job) const;
  static int64_t bytes_of_block(const Model& model, int64_t layer);
  void add_update(const Update* update, const float* x, float* y, int64_t rows, int64_t out, const Job& job);
  const Update* find_update(Role role, int64_t expert) const;
  const float* rounded(const float* x, int64_t rows, int64_t in);

  const Model& model_;
  std::vector<Block> kept_;  // the first blocks
  Block passing_;            // the one at work, where it is not kept
  std::array<RowMatrix, 3> passing_expert_;
  const Block* at_ = nullptr;
  int64_t layer_ = 0;
  const std::array<RowMatrix, 3>* expert_ = nullptr;

  NormValues final_norm_;
  RowMatrix head_;                                    // nothing where it is not kept
  std::map<std::array<int64_t, 3>, Update> updates_;  // (layer, role, expert)
  Update head_update_;
  std::vector<float> inner_, outer_, normed_, widened_;
  std::vector<uint16_t> rounded_;
};

}  // namespace deltascope
