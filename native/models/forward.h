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
/// model, in the order given to `run_blocks`. It may read them only.
using LayerObserver = std::function<void(int64_t layer, std::span<const float* const> residuals)>;

/// Pushes all nodes of a tree through the decoder blocks 0 … last wanted of one model or of a pair, layer by
/// layer: a block's weights are read, used for every token of every model that shares them, and dropped.
/// `layers`: the wanted blocks, ascending, without repeats. Token ids must be below every model's vocabulary
/// size. A node's result depends on its path alone, to the bit (see ops/matmul.h, ops/tree_attention.h).
/// Threads: OpenMP's setting of the calling thread.
class Forward {
 public:
  explicit Forward(std::vector<const Model*> models);
  ~Forward();

  void run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe, Job& job,
           const std::function<void(int64_t nodes)>& on_nodes_done = {});

  /// Whether both models of a pair read the same checkpoint, so that its weights are loaded once.
  bool shares_weights() const { return shares_weights_; }

  /// Bytes needed whatever the tree (weights of one block, scratch for one chunk of rows), and bytes per
  /// node.
  int64_t fixed_bytes() const;
  int64_t bytes_per_node() const;

 private:
  struct Scratch;
  void run_block(const Model& model, const class LayerWeights& weights, int64_t layer, const PrefixTree& tree,
                 float* residual, Job& job);
  void linear(const Model& model, const class LayerWeights& weights, int64_t layer, Role role, const float* x,
              float* y, int64_t rows);

  std::vector<const Model*> models_;
  bool shares_weights_ = false;
  int64_t chunk_rows_ = 0;
  std::unique_ptr<Scratch> scratch_;
};

/// Embeddings of a tree's tokens as they enter block 0: [nodes, d_model] float32.
void embed(const Model& model, const PrefixTree& tree, float* out);

}  // namespace deltascope
