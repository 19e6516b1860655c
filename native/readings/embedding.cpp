#include "readings/embedding.h"

#include <cmath>
#include <string>

#include "core/errors.h"
#include "models/activations.h"
#include "models/head.h"
#include "readings/intervention.h"
#include "readings/waves.h"

namespace deltascope {

std::vector<std::vector<float>> embed_texts(const Model& model, const TokenBatch& tokens, Pooling pooling, Job& job) {
  require_known_tokens(model, tokens);
  require_positions(model, tokens);
  const int64_t d = model.spec().d_model;
  std::vector<std::vector<float>> result(static_cast<size_t>(tokens.sequences()));
  for (int64_t i = 0; i < tokens.sequences(); ++i) {
    if (tokens.sequence(i).empty())
      throw Error(Code::invalid_argument, "text " + std::to_string(i) + " has no tokens", {{"field", "tokens"}});
  }
  const Waves waves(tokens, model.spec().prefix_context(), job);
  for (const PrefixTree& tree : waves.trees()) {
    const std::vector<float> normed = final_norm(model, final_residuals(model, tree, {}, job), tree.nodes());
    for (size_t i = 0; i < tree.sequence.size(); ++i) {
      const auto path = tree.path(i);
      std::vector<double> sum(static_cast<size_t>(d));
      for (size_t t = pooling == Pooling::last ? path.size() - 1 : 0; t < path.size(); ++t) {
        for (int64_t j = 0; j < d; ++j) sum[static_cast<size_t>(j)] += normed[static_cast<size_t>(path[t] * d + j)];
      }
      double square = 0;
      for (const double value : sum) square += value * value;
      auto& out = result[static_cast<size_t>(tree.sequence[i])];
      for (const double value : sum) out.push_back(static_cast<float>(square > 0 ? value / std::sqrt(square) : 0.0));
    }
    waves.done(tree);
  }
  return result;
}

}  // namespace deltascope
