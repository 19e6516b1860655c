#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/job.h"

namespace deltascope {

/// Token sequences of different lengths, borrowed: sequence i is ids[offsets[i] … offsets[i + 1]).
struct TokenBatch {
  std::span<const int32_t> ids;
  std::span<const int64_t> offsets;  // [sequences + 1]

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  std::span<const int32_t> sequence(int64_t i) const {
    const auto begin = static_cast<size_t>(offsets[static_cast<size_t>(i)]),
               end = static_cast<size_t>(offsets[static_cast<size_t>(i + 1)]);
    return ids.subspan(begin, end - begin);
  }
};

/// A batch of its own.
struct OwnedBatch {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  TokenBatch view() const { return {ids, offsets}; }
};

/// Every sequence cut after `length` tokens. One beyond the context stays whole, since its activations depend on its length.
OwnedBatch cut(const TokenBatch& tokens, int64_t length, int64_t context);

/// The distinct prefixes of some sequences. A causal model's activation depends on the prefix alone, so each
/// is computed once. Nodes are in depth-first order: a parent comes before its children, and a node's number
/// plus the paths say all that attention needs.
struct PrefixTree {
  std::vector<int32_t> token;     // [nodes]
  std::vector<int32_t> parent;    // [nodes], −1 at a root
  std::vector<int32_t> position;  // [nodes], 0 at a root
  std::vector<int64_t> sequence;  // which sequences of the batch are in the tree
  std::vector<int32_t> leaf;      // [sequence.size()]: the node of each one's last token
  int64_t length = 0;             // of every sequence, where activations depend on it; else 0

  int64_t nodes() const { return static_cast<int64_t>(token.size()); }

  /// The nodes of the i-th sequence, from its first token on.
  std::vector<int32_t> path(size_t i) const;
};

/// Cuts a batch into trees of at most `max_nodes` nodes (at least one sequence each). Sequences are taken in
/// lexicographic order, so that those which share a prefix meet in one tree. Empty sequences are left out.
/// context: activations of longer sequences depend on their length too (ModelSpec::prefix_context), so those share
/// a tree only with sequences of the same length.
/// Throws CANCELLED within milliseconds of the job's flag.
std::vector<PrefixTree> plan_trees(const TokenBatch& batch, int64_t max_nodes, int64_t context = INT64_MAX,
                                   const Job& job = Job());

/// Distinct prefixes in the whole batch: what has to be computed.
int64_t count_unique_prefixes(const TokenBatch& batch, int64_t context = INT64_MAX, const Job& job = Job());

}  // namespace deltascope
