#include "readings/causal_effect.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/exact_sum.h"
#include "models/activations.h"
#include "readings/intervention.h"
#include "readings/next_token_loss.h"
#include "readings/pair.h"
#include "readings/waves.h"

namespace deltascope {
namespace {

constexpr int64_t kNodesPerWave = 2048, kNodesPerPass = 8192;

/// A sum of losses whose order leaves no trace: fixed point in units of 2^-48.
class LossSum {
 public:
  void add(double nats, int64_t count) {
    if (!(std::fabs(nats) < 0x1p14)) {
      spoiled_ = true;
    } else {
      units_ += static_cast<int128>(std::llrint(nats * 0x1p48)) * count;
    }
  }
  double total() const { return spoiled_ ? std::nan("") : static_cast<double>(units_) * 0x1p-48; }

 private:
  int128 units_ = 0;
  bool spoiled_ = false;
};

using Columns = std::vector<LossSum>;

std::vector<double> totals(const Columns& columns) {
  std::vector<double> result;
  for (const LossSum& column : columns) result.push_back(column.total());
  return result;
}

/// How many texts whose mask holds there go through each node as a prediction.
std::vector<int64_t> prediction_counts(const PrefixTree& tree, const TokenBatch& tokens, const std::vector<uint8_t>& mask) {
  std::vector<int64_t> counts(static_cast<size_t>(tree.nodes()));
  for (size_t i = 0; i < tree.sequence.size(); ++i) {
    const auto path = tree.path(i);
    const auto first = static_cast<size_t>(tokens.offsets[static_cast<size_t>(tree.sequence[i])]);
    for (size_t t = 1; t < path.size(); ++t)
      counts[static_cast<size_t>(path[t])] += mask.empty() || mask[first + t] != 0;
  }
  return counts;
}

/// `copies` of a tree beside each other.
PrefixTree repeated(const PrefixTree& tree, int64_t copies) {
  PrefixTree forest;
  forest.length = tree.length;
  for (int64_t c = 0; c < copies; ++c) {
    const auto shift = static_cast<int32_t>(c * tree.nodes());
    for (const int32_t parent : tree.parent) forest.parent.push_back(parent < 0 ? -1 : parent + shift);
    forest.token.insert(forest.token.end(), tree.token.begin(), tree.token.end());
    forest.position.insert(forest.position.end(), tree.position.begin(), tree.position.end());
  }
  return forest;
}

void count_losses(const PrefixTree& tree, const std::vector<int64_t>& counts, const double* loss, Columns& columns) {
  for (size_t node = 0; node < counts.size(); ++node) {
    if (counts[node] > 0) columns[static_cast<size_t>(tree.position[node]) - 1].add(loss[node], counts[node]);
  }
}

/// Checks everything and says how many columns there are.
int64_t require_request(const Model& base, const Model& finetuned, const TokenBatch& tokens, const CausalRequest& request) {
  require_distinct("layer", {request.layer}, base.spec().layers);
  for (const Model* model : {&base, &finetuned}) {
    require_known_tokens(*model, tokens);
    require_positions(*model, tokens);
  }
  const int64_t d = base.spec().d_model;
  require_built_alike(base, finetuned);
  if (!request.mask.empty() && request.mask.size() != tokens.ids.size()) {
    throw Error(Code::invalid_argument,
                "the mask has " + std::to_string(request.mask.size()) + " values, there are " +
                    std::to_string(tokens.ids.size()) + " tokens",
                {{"field", "mask"}});
  }
  if (request.vectors.size() % static_cast<size_t>(d) != 0) {
    throw Error(Code::invalid_argument, "vectors of d_model " + std::to_string(d) + " values are expected",
                {{"field", "vectors"}});
  }
  for (size_t at = 0; at < request.vectors.size(); at += static_cast<size_t>(d)) {
    require_intervention(base, {Intervention::Kind::remove, request.layer,
                                {request.vectors.begin() + static_cast<int64_t>(at),
                                 request.vectors.begin() + static_cast<int64_t>(at) + d},
                                nullptr});
  }
  int64_t longest = 0;
  for (int64_t i = 0; i < tokens.sequences(); ++i)
    longest = std::max(longest, static_cast<int64_t>(tokens.sequence(i).size()));
  if (longest < 2)
    throw Error(Code::invalid_argument, "no text has two tokens: there is nothing to predict", {{"field", "tokens"}});
  return longest - 1;
}

}  // namespace

CausalResult causal_effect(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                           const CausalRequest& request, Job& job) {
  const int64_t columns = require_request(base, finetuned, tokens, request);
  const int64_t d = base.spec().d_model, vectors = static_cast<int64_t>(request.vectors.size()) / d;
  const auto effects = static_cast<int64_t>(request.effects.size());
  const auto empty = [&] { return Columns(static_cast<size_t>(columns)); };
  Columns base_sums = empty(), finetuned_sums = empty();
  std::vector<Columns> sums(static_cast<size_t>(effects * vectors), empty());
  CausalResult result;
  result.columns = columns;
  result.counts.assign(static_cast<size_t>(columns), 0);

  const int64_t context = std::min(base.spec().prefix_context(), finetuned.spec().prefix_context());
  const auto trees = plan_trees(tokens, kNodesPerWave, context, job);
  int64_t nodes = 0, done = 0;
  for (const PrefixTree& tree : trees) nodes += tree.nodes();
  const int64_t work = nodes * (effects * vectors + 2);
  const auto progress = [&](int64_t finished) {
    done += finished;
    if (job.on_progress) job.on_progress(done, work);
  };

  for (const PrefixTree& tree : trees) {
    const auto size = static_cast<size_t>(tree.nodes() * d);
    const auto rows_of = residuals_after({&base, &finetuned}, tree, request.layer, job);
    const std::vector<float>&base_rows = rows_of[0], &finetuned_rows = rows_of[1];
    const auto counts = prediction_counts(tree, tokens, request.mask);
    for (size_t node = 0; node < counts.size(); ++node) {
      if (counts[node] > 0) result.counts[static_cast<size_t>(tree.position[node]) - 1] += counts[node];
    }

    /// Residuals after the layer, of `copies` changed trees, become losses.
    const auto measure = [&](const Model& model, std::vector<float> rows, int64_t copies, auto columns_of) {
      const PrefixTree forest = repeated(tree, copies);
      rows = finish(model, forest, std::move(rows), request.layer, job);
      const auto loss = next_token_loss(model, forest, rows.data(), job);
      for (int64_t c = 0; c < copies; ++c) count_losses(tree, counts, loss.data() + c * tree.nodes(), columns_of(c));
      progress(copies * tree.nodes());
    };
    measure(base, base_rows, 1, [&](int64_t) -> Columns& { return base_sums; });
    measure(finetuned, finetuned_rows, 1, [&](int64_t) -> Columns& { return finetuned_sums; });

    const int64_t together = std::max<int64_t>(1, kNodesPerPass / tree.nodes());
    for (int64_t e = 0; e < effects; ++e) {
      const Effect effect = request.effects[static_cast<size_t>(e)];
      const bool on_finetuned = effect == Effect::base_to_finetuned || effect == Effect::zero_finetuned;
      const bool swap = effect == Effect::base_to_finetuned || effect == Effect::finetuned_to_base;
      const auto& own = on_finetuned ? finetuned_rows : base_rows;
      const auto& other = on_finetuned ? base_rows : finetuned_rows;
      for (int64_t from = 0; from < vectors; from += together) {
        const int64_t here = std::min(together, vectors - from);
        std::vector<float> rows;
        rows.reserve(static_cast<size_t>(here) * size);
        for (int64_t v = from; v < from + here; ++v) {
          rows.insert(rows.end(), own.begin(), own.end());
          const float* vector = request.vectors.data() + v * d;
          intervene({swap ? Intervention::Kind::swap : Intervention::Kind::remove, request.layer, {vector, vector + d}, nullptr},
                    rows.data() + rows.size() - size, other.data(), tree.nodes(), d);
        }
        measure(on_finetuned ? finetuned : base, std::move(rows), here,
                [&](int64_t c) -> Columns& { return sums[static_cast<size_t>(e * vectors + from + c)]; });
      }
    }
  }
  result.base = totals(base_sums);
  result.finetuned = totals(finetuned_sums);
  for (const Columns& own : sums) {
    const auto values = totals(own);
    result.intervened.insert(result.intervened.end(), values.begin(), values.end());
  }
  return result;
}

}  // namespace deltascope
