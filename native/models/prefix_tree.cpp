#include "models/prefix_tree.h"

#include <algorithm>
#include <numeric>

namespace deltascope {
namespace {

/// What a tree's sequences have in common: the length beyond the context, 0 within it.
int64_t length_class(std::span<const int32_t> tokens, int64_t context) {
  const auto length = static_cast<int64_t>(tokens.size());
  return length > context ? length : 0;
}

/// By length class, then lexicographic.
std::vector<int64_t> tree_order(const TokenBatch& batch, int64_t context, const Job& job) {
  std::vector<int64_t> order(static_cast<size_t>(batch.sequences()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    job.throw_if_cancelled();
    const auto x = batch.sequence(a), y = batch.sequence(b);
    const int64_t p = length_class(x, context), q = length_class(y, context);
    if (p != q) return p < q;
    const auto [i, j] = std::mismatch(x.begin(), x.end(), y.begin(), y.end());
    if (i == x.end() || j == y.end()) return i == x.end() && j == y.end() ? a < b : i == x.end();
    return *i < *j;
  });
  return order;
}

size_t shared_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

OwnedBatch cut(const TokenBatch& tokens, int64_t length, int64_t context) {
  OwnedBatch batch;
  for (int64_t i = 0; i < tokens.sequences(); ++i) {
    const auto sequence = tokens.sequence(i);
    const auto all = static_cast<int64_t>(sequence.size());
    const auto keep = all > context ? all : std::min(all, length);
    batch.ids.insert(batch.ids.end(), sequence.begin(), sequence.begin() + keep);
    batch.offsets.push_back(static_cast<int64_t>(batch.ids.size()));
  }
  return batch;
}

std::vector<int32_t> PrefixTree::path(size_t i) const {
  std::vector<int32_t> nodes;
  for (int32_t node = leaf[i]; node >= 0; node = parent[static_cast<size_t>(node)]) nodes.push_back(node);
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<PrefixTree> plan_trees(const TokenBatch& batch, int64_t max_nodes, int64_t context, const Job& job) {
  std::vector<PrefixTree> trees;
  std::vector<int32_t> open;  // nodes of the sequence before, from the root down
  std::span<const int32_t> before;
  for (const int64_t index : tree_order(batch, context, job)) {
    job.throw_if_cancelled();
    const auto tokens = batch.sequence(index);
    if (tokens.empty()) continue;
    const int64_t length = length_class(tokens, context);
    size_t shared = shared_prefix(before, tokens);
    if (trees.empty() || trees.back().length != length ||
        trees.back().nodes() + static_cast<int64_t>(tokens.size() - shared) > max_nodes) {
      trees.emplace_back().length = length;
      open.clear();
      shared = 0;
    }
    PrefixTree& tree = trees.back();
    open.resize(shared);
    for (size_t at = shared; at < tokens.size(); ++at) {
      tree.parent.push_back(open.empty() ? -1 : open.back());
      tree.token.push_back(tokens[at]);
      tree.position.push_back(static_cast<int32_t>(at));
      open.push_back(static_cast<int32_t>(tree.nodes() - 1));
    }
    tree.sequence.push_back(index);
    tree.leaf.push_back(open.back());
    before = tokens;
  }
  return trees;
}

int64_t count_unique_prefixes(const TokenBatch& batch, int64_t context, const Job& job) {
  int64_t nodes = 0, length = 0;
  std::span<const int32_t> before;
  for (const int64_t index : tree_order(batch, context, job)) {
    job.throw_if_cancelled();
    const auto tokens = batch.sequence(index);
    const bool same_class = length_class(tokens, context) == length;
    nodes += static_cast<int64_t>(tokens.size() - (same_class ? shared_prefix(before, tokens) : 0));
    length = length_class(tokens, context);
    before = tokens;
  }
  return nodes;
}

}  // namespace deltascope
