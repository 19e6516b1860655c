#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// Called with the residual stream after a wanted block (resid_post): one [nodes, d_model] float32 matrix per
/// model, in the order given to the constructor. It may read them only.
using LayerObserver = std::function<void(int64_t layer, std::span<const float* const> residuals)>;

/// Pushes all nodes of a tree through the decoder blocks 0 … last wanted of one model or of a pair, layer by
/// layer: a block's weights are read, used for every token of every model that shares them, and dropped. Models that
/// share their blocks are computed as one until the first block that their adapters touch.
/// A node's result depends on its path alone (and on the tree's length, where it has one), to the bit (see ops/matmul.h,
/// ops/tree_attention.h). Threads: OpenMP's setting of the calling thread.
class Forward {
 public:
  explicit Forward(std::vector<const Model*> models);
  ~Forward();

  /// layers: the wanted blocks, ascending, without repeats. Token ids must be below every model's vocabulary size, and
  /// positions below its learned ones. on_nodes_done: nodes pushed through one block of one model.
  /// Throws CANCELLED within milliseconds of the job's flag, FILE_CHANGED, FILE_UNREADABLE.
  void run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe, Job& job,
           const std::function<void(int64_t nodes)>& on_nodes_done = {});

  /// Whether both models of a pair read the same checkpoint, so that its weights are loaded once.
  bool shares_weights() const { return shares_weights_; }

  /// Values among the weights that the last run read that are NaN or infinite, by model.
  const std::vector<int64_t>& weights_not_finite() const { return not_finite_; }

  /// Bytes needed whatever the tree (weights of one block, scratch for one chunk of rows), and bytes per
  /// node.
  int64_t fixed_bytes() const;
  int64_t bytes_per_node() const;

 private:
  struct Scratch;
  struct Block;  // one block of one model at work
  void run_block(const Block& block, float* residual);
  void attend(const Block& block, int64_t first, int64_t rows, float* x);
  void run_mlp(const Block& block, int64_t rows, float* x);
  void run_experts(const Block& block, float* residual);
  void linear(const Block& block, Role role, const float* x, float* y, int64_t rows);
  void add_low_rank(const LowRank* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out, const Job& job);

  std::vector<const Model*> models_;
  bool shares_weights_ = false;
  int64_t joined_layers_ = 0;  // blocks in which all models are the same
  int64_t chunk_rows_ = 0;
  std::vector<int64_t> not_finite_;
  std::unique_ptr<Scratch> scratch_;
};

/// Embeddings of a tree's tokens as they enter block 0: [nodes, d_model] float32. Returns how many values are NaN or
/// infinite.
int64_t embed(const Model& model, const PrefixTree& tree, float* out);

}  // namespace deltascope
