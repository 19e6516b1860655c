#include "readings/cross_entropy.h"

#include <algorithm>

#include "models/activations.h"
#include "readings/next_token_loss.h"
#include "readings/waves.h"

namespace deltascope {

std::vector<std::vector<double>> cross_entropy(const Model& model, const TokenBatch& tokens,
                                               const Intervention& intervention, Job& job) {
  require_known_tokens(model, tokens);
  require_positions(model, tokens);
  require_intervention(model, intervention);
  std::vector<std::vector<double>> result;
  for (int64_t i = 0; i < tokens.sequences(); ++i)
    result.emplace_back(std::max<size_t>(tokens.sequence(i).size(), 1) - 1);
  const int64_t context = intervention.source == nullptr
                              ? model.spec().prefix_context()
                              : std::min(model.spec().prefix_context(), intervention.source->spec().prefix_context());
  const Waves waves(tokens, context, job);
  for (const PrefixTree& tree : waves.trees()) {
    const auto residuals = final_residuals(model, tree, intervention, job);
    const auto loss = next_token_loss(model, tree, residuals.data(), job);
    for (size_t i = 0; i < tree.sequence.size(); ++i) {
      const auto path = tree.path(i);
      for (size_t t = 1; t < path.size(); ++t)
        result[static_cast<size_t>(tree.sequence[i])][t - 1] = loss[static_cast<size_t>(path[t])];
    }
    waves.done(tree);
  }
  return result;
}

}  // namespace deltascope
