#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"
#include "models/tree_blocks.h"

namespace deltascope {

/// Called with the residual stream after a wanted block (resid_post): one [nodes, d_model] float32 matrix per
/// model, in the order given to the constructor. It may read them only.
using LayerObserver = std::function<void(int64_t layer, std::span<const float* const> residuals)>;

/// Called after every block of every model, before its LayerObserver: what attention remembers of all nodes, keys after
/// their rotation. Each [nodes, kv_heads · head_dim] float32, to be read only.
using KeyValueObserver =
    std::function<void(int64_t layer, size_t model, const float* keys, const float* values)>;

/// Where a pass begins, and who else watches it.
struct Pass {
  /// The first block that is computed. Above 0, `residuals` are what enters it: [models], each [nodes, d_model], copied.
  int64_t first_layer = 0;
  std::vector<const float*> residuals;
  KeyValueObserver on_keys_values;
  std::function<void(int64_t nodes)> on_nodes_done;  // so many more pushed through one block of one model
  /// Whether the observer reads residuals on the host; where it does not it is given none, and none are brought there.
  bool on_host = true;
};

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
  /// positions below its learned ones.
  /// Throws CANCELLED within milliseconds of the job's flag, FILE_CHANGED, FILE_UNREADABLE, OUT_OF_MEMORY.
  void run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe, Job& job,
           const Pass& pass = {});

  /// Whether both models of a pair read the same checkpoint, so that its weights are loaded once.
  bool shares_weights() const { return shares_weights_; }

  /// What was not finite among the weights that all runs so far have read, by model.
  const std::vector<NotFinite>& weights_not_finite() const { return not_finite_; }

  /// Inside an observer: adds a pair's residual streams after its block to statistics by position, where they lie.
  void add_moments(const PairSamples& samples, std::span<Moments> moments);

  /// Bytes needed whatever the tree (weights of one block, scratch for one chunk of rows), and bytes per
  /// node, of the backend's memory; and what a caller who names no budget may use of it.
  int64_t fixed_bytes() const;
  int64_t bytes_per_node(int64_t longest) const;
  int64_t default_budget() const;

 private:
  std::vector<const Model*> models_;
  bool shares_weights_ = false;
  int64_t joined_layers_ = 0;  // blocks in which all models are the same
  bool at_joined_layer_ = false;  // of the observer that is called
  std::vector<NotFinite> not_finite_;
  std::unique_ptr<TreeBlocks> blocks_;
};

/// Embeddings of a tree's tokens as they enter block 0: [nodes, d_model] float32. not_finite: grows by the rows read that
/// hold NaN or infinity. Throws CANCELLED between two nodes.
void embed(const Model& model, const PrefixTree& tree, float* out, NotFinite& not_finite, const Job& job);
/// Of the nodes first, first + 1, … only: [count, d_model].
void embed(const Model& model, const PrefixTree& tree, int64_t first, int64_t count, float* out, NotFinite& not_finite,
           const Job& job);

}  // namespace deltascope
