#pragma once

#include <cstdint>
#include <span>

#include "core/job.h"
#include "models/model_spec.h"
#include "ops/tree_attention.h"

namespace deltascope {

/// A place for values between two steps of a block.
enum class Slot { normed, q, attended, projected, gate, up, expert_in, expert_out, router };
inline constexpr int kSlotCount = 9;

/// The norms of a block.
enum class NormSite { before_attention, after_attention, before_mlp, after_mlp, q, k };
inline constexpr int kNormSiteCount = 6;

/// A token's share of one expert.
struct Share {
  int32_t row;
  float weight;
};

/// Everything that is done to a block's values, on one backend: all pointers are into its memory, unless a comment says
/// otherwise. A whole tree of tokens is computed by one of these, a few rows of it by another; what is computed, and in which
/// order, is BlockMath's, and the same everywhere. All values are float32, all rows dense.
class BlockSteps {
 public:
  /// A product that is asked for: y = W x + bias + the adapter's update.
  struct Product {
    Role role;
    float* y;
  };

  /// Room for so many values. What the slot held is lost where it must grow.
  virtual float* slot(Slot slot, int64_t values) = 0;

  virtual bool has(NormSite site) const = 0;
  /// Normalises rows of `width` values; y may be x.
  virtual void norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) = 0;

  /// Products of the same rows.
  virtual void linear(const float* x, std::span<const Product> products, int64_t rows) = 0;
  void linear(Role role, const float* x, float* y, int64_t rows) {
    const Product product = {role, y};
    linear(x, std::span(&product, 1), rows);
  }

  /// Turns queries or keys [rows, heads · head_dim] to the positions of the rows at work.
  virtual void rotate(float* x, int64_t heads, int64_t rows) = 0;

  /// Attention of the rows at work, whose queries these are; out: as q.
  virtual void look_back(const float* q, float* out, int64_t rows) = 0;

  /// The activated values, in the buffer that is returned: of up, or of gate and up.
  virtual float* activate(float* gate, float* up, int64_t count) = 0;

  /// x += y
  virtual void add(float* x, const float* y, int64_t count) = 0;

  // What a mixture of experts needs beside.

  virtual void clear(float* x, int64_t count) = 0;
  /// The values on the host; they stay until the next call.
  virtual const float* read(const float* x, int64_t count) = 0;
  /// Makes an expert's weights ready, which its products then use. Experts come in the order of their numbers.
  virtual void begin_expert(int64_t expert) = 0;
  virtual void expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows) = 0;
  /// Row i of `to` becomes row shares[i].row of `from`. shares: on the host.
  virtual void gather(const float* from, std::span<const Share> shares, float* to, int64_t width) = 0;
  /// Row shares[i].row of `to` grows by shares[i].weight times row i of `from`; each row is named at most once.
  virtual void add_shares(float* to, std::span<const Share> shares, const float* from, int64_t width) = 0;

 protected:
  ~BlockSteps() = default;
};

/// One decoder block.
struct BlockMath {
  const ModelSpec& spec;
  const BlockSpec& own;
  BlockSteps& steps;
  const Job& job;

  /// Attention of [rows, d_model] tokens, added to their residual stream x. k, v: where their keys (rotated) and values go,
  /// [rows, kv_heads · head_dim], before look_back is asked.
  void add_attention(float* k, float* v, int64_t rows, float* x) const;

  /// The MLP, added to x.
  void add_mlp(int64_t rows, float* x) const;

  /// The mixture of experts (Shazeer et al. 2017, arXiv 1701.06538), added to x: expert by expert, so that
  /// each one's weights are needed once, and only where a token chose it. A row adds its experts up in the
  /// order of their numbers. chunk: rows handled together.
  void add_experts(int64_t rows, int64_t chunk, float* x) const;
};

/// The block's attention, as its model's spec and its own settings have it.
AttentionShape attention_shape(const ModelSpec& spec, const BlockSpec& own);

}  // namespace deltascope
