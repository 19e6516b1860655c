#include "readings/next_token_loss.h"

#include <algorithm>
#include <limits>

#include "models/unembedding.h"

namespace deltascope {
std::vector<double> next_token_loss(const Model& model, const PrefixTree& tree, const float* residuals, Job& job) {
  const ModelSpec& spec = model.spec();
  const auto nodes = static_cast<size_t>(tree.nodes());
  std::vector<double> loss(nodes, std::numeric_limits<double>::quiet_NaN());

  // Children by parent: those of row r are child[first[r] … first[r + 1]).
  std::vector<int32_t> children(nodes + 1);
  for (const int32_t parent : tree.parent) {
    if (parent >= 0) ++children[static_cast<size_t>(parent)];
  }
  std::vector<int32_t> row_of(nodes, -1), parents, first = {0};
  for (size_t node = 0; node < nodes; ++node) {
    if (children[node] == 0) continue;
    row_of[node] = static_cast<int32_t>(parents.size());
    parents.push_back(static_cast<int32_t>(node));
    first.push_back(first.back() + children[node]);
  }
  std::vector<int32_t> child(static_cast<size_t>(first.back())), next = first;
  for (size_t node = 0; node < nodes; ++node) {
    if (tree.parent[node] < 0) continue;
    const auto row = static_cast<size_t>(row_of[static_cast<size_t>(tree.parent[node])]);
    child[static_cast<size_t>(next[row]++)] = static_cast<int32_t>(node);
  }

  std::vector<float> rows;
  std::vector<int32_t> ids, offsets;
  const auto together = static_cast<size_t>(model.unembedding().rows_together());
  for (size_t from = 0; from < parents.size(); from += together) {
    const size_t here = std::min(together, parents.size() - from);
    rows.resize(here * static_cast<size_t>(spec.d_model));
    ids.clear();
    offsets.assign(1, 0);
    for (size_t i = 0; i < here; ++i) {
      std::copy_n(residuals + int64_t{parents[from + i]} * spec.d_model, spec.d_model,
                  rows.data() + static_cast<int64_t>(i) * spec.d_model);
      for (int32_t c = first[from + i]; c < first[from + i + 1]; ++c)
        ids.push_back(tree.token[static_cast<size_t>(child[static_cast<size_t>(c)])]);
      offsets.push_back(static_cast<int32_t>(ids.size()));
    }
    const auto own = model.unembedding().losses(rows.data(), static_cast<int64_t>(here), offsets, ids, job);
    for (size_t i = 0; i < own.size(); ++i)
      loss[static_cast<size_t>(child[static_cast<size_t>(first[from]) + i])] = own[i];
  }
  return loss;
}

}  // namespace deltascope
