#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/job.h"
#include "models/layer_weights.h"
#include "models/model_spec.h"
#include "ops/rotary.h"
#include "ops/tree_attention.h"

namespace deltascope {

/// What the buffer held is lost where it must grow: the old memory is given back before the new is taken, and no more is
/// taken than is needed.
void resize_for(std::vector<float>& buffer, int64_t values);

/// Buffers for one block and some rows, grown as needed.
struct BlockScratch {
  std::vector<float> normed, q, attended, projected, gate, up;
  std::vector<float> expert_in, expert_out, router;
};

/// What a block does with its weights and with what its tokens look back at. A whole tree of tokens is
/// computed by one product, a few rows of it by another; what lies between the products is the same.
class BlockSteps {
 public:
  /// y = W x + bias + the adapter's update, over dense rows.
  virtual void linear(Role role, const float* x, float* y, int64_t rows) = 0;

  /// Attention of the rows whose queries these are; out: as q.
  virtual void look_back(const float* q, float* out, int64_t rows) = 0;

  /// Makes an expert's weights ready, which its products then use. Experts come in the order of their
  /// numbers.
  virtual void begin_expert(int64_t expert) = 0;
  virtual void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) = 0;

 protected:
  ~BlockSteps() = default;
};

/// One decoder block, its products apart.
struct BlockMath {
  const ModelSpec& spec;
  const BlockSpec& own;
  const BlockNorms& norms;
  const std::vector<RotaryAngles>& angles;  // by the spec's rotary tables
  BlockSteps& steps;
  BlockScratch& scratch;
  const Job& job;

  /// Attention of [rows, d_model] tokens at these positions, added to their residual stream x. k, v: where
  /// their keys (rotated) and values go, [rows, kv_heads · head_dim], before look_back is asked.
  void add_attention(std::span<const int32_t> positions, float* k, float* v, int64_t rows, float* x) const;

  /// The MLP, added to x.
  void add_mlp(int64_t rows, float* x) const;

  /// The mixture of experts (Shazeer et al. 2017, arXiv 1701.06538), added to x: expert by expert, so that
  /// each one's weights are needed once, and only where a token chose it. A row adds its experts up in the
  /// order of their numbers. chunk: rows handled together.
  void add_experts(int64_t rows, int64_t chunk, float* x) const;
};

/// The block's attention, as its model's spec and its own settings have it.
AttentionShape attention_shape(const ModelSpec& spec, const BlockSpec& own);

/// Normalises rows of `width` values as the spec says; y may be x.
void apply_norm(const ModelSpec& spec, const NormValues& norm, const float* x, float* y, int64_t rows,
                int64_t width);

}  // namespace deltascope
