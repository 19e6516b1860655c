#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/job.h"
#include "models/prefix_tree.h"

namespace deltascope {

class Moments;
struct PairSamples;

/// Weights that are NaN or infinite, each counted once however often it is read: by row of the embedding (positions as
/// −1, −2, …), by block, and by (block, expert).
struct NotFinite {
  std::map<int64_t, int64_t> rows;
  std::map<int64_t, int64_t> blocks;
  std::map<std::pair<int64_t, int64_t>, int64_t> experts;

  int64_t total() const;
};

/// The decoder blocks of one model, or of a pair, over one tree after another. Residual streams, keys and values lie in the
/// backend's memory.
class TreeBlocks {
 public:
  virtual ~TreeBlocks() = default;

  /// Makes room for a tree, which must outlive what is asked about it. Throws OUT_OF_MEMORY, before anything is computed.
  virtual void begin(const PrefixTree& tree) = 0;

  /// Writes what enters a model's first block, of the nodes first, first + 1, …: [count, d_model] on the host.
  using Entry = std::function<void(int64_t first, int64_t count, float* to)>;
  /// Asks for that of all nodes, some after others.
  virtual void enter(size_t model, const Entry& entry) = 0;

  /// Gives a model the residual stream of the first.
  virtual void copy_first(size_t to) = 0;

  /// Reads a block's weights, its experts' apart, which `run` then uses. Returns how many are NaN or infinite. Throws
  /// FILE_CHANGED, FILE_UNREADABLE.
  virtual int64_t load(size_t model, int64_t layer, const Job& job) = 0;

  /// Pushes all nodes through the block, with the weights last loaded (a pair may share them) and the model's own adapter. May
  /// return before that is done. not_finite: grows by what is met in experts. report: how many more nodes are through.
  virtual void run(size_t model, int64_t layer, NotFinite& not_finite, Job& job,
                   const std::function<void(int64_t nodes)>& report) = 0;

  /// A model's residual stream on the host, once it is there. It stays until the next `run` of this model.
  virtual const float* residual(size_t model) = 0;

  /// What attention remembers of all nodes after the last `run`, keys after their rotation: [nodes, kv_heads · head_dim]
  /// each, in the backend's memory.
  virtual const float* keys() const = 0;
  virtual const float* values() const = 0;

  /// Adds the residual streams of a pair, the first model's and another's, as they are now, to statistics by position.
  virtual void add_moments(size_t finetuned, const PairSamples& samples, std::span<Moments> moments) = 0;

  /// Bytes needed whatever the tree, and at most per node of one in which no text has more than `longest` tokens, of the memory
  /// that is short.
  virtual int64_t fixed_bytes() const = 0;
  virtual int64_t bytes_per_node(int64_t longest) const = 0;
  /// What a caller who names no budget may use of it.
  virtual int64_t default_budget() const = 0;
};

}  // namespace deltascope
