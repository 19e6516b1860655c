#include "readings/next_token_loss.h"

#include <algorithm>
#include <limits>

#include "models/head.h"
#include "ops/activation.h"
#include "ops/log_sum.h"

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
  const auto together = static_cast<size_t>(model.backend().unembed_rows());
  for (size_t from = 0; from < parents.size(); from += together) {
    const auto here = static_cast<int64_t>(std::min(together, parents.size() - from));
    rows.resize(static_cast<size_t>(here * spec.d_model));
    for (int64_t i = 0; i < here; ++i) {
      std::copy_n(residuals + int64_t{parents[from + static_cast<size_t>(i)]} * spec.d_model, spec.d_model,
                  rows.data() + i * spec.d_model);
    }
    std::vector<LogSum> sums(static_cast<size_t>(here));
    const auto read = [&](float* logits, int64_t count, int32_t first_id) {
#pragma omp parallel for schedule(static)
      for (int64_t i = 0; i < here; ++i) {
        float* row = logits + i * count;
        if (spec.logit_softcap > 0) soft_cap(row, count, spec.logit_softcap);
        sums[static_cast<size_t>(i)].add(row, count);
        const size_t at = from + static_cast<size_t>(i);
        for (int32_t c = first[at]; c < first[at + 1]; ++c) {
          const auto node = static_cast<size_t>(child[static_cast<size_t>(c)]);
          const int64_t id = tree.token[node] - first_id;
          if (id >= 0 && id < count) loss[node] = row[id];
        }
      }
    };
    unembed(model, rows.data(), here, read, job);
    for (int64_t i = 0; i < here; ++i) {
      const size_t at = from + static_cast<size_t>(i);
      const double total = sums[static_cast<size_t>(i)].value();
      for (int32_t c = first[at]; c < first[at + 1]; ++c) {
        double& value = loss[static_cast<size_t>(child[static_cast<size_t>(c)])];
        value = total - value;
      }
    }
  }
  return loss;
}

}  // namespace deltascope
