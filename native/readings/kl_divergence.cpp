#include "readings/kl_divergence.h"

#include <algorithm>

#include "models/activations.h"
#include "models/head.h"
#include "ops/activation.h"
#include "ops/log_sum.h"
#include "readings/pair.h"
#include "readings/waves.h"

namespace deltascope {
namespace {

constexpr int64_t kLogitBytes = int64_t{64} << 20;  // of each model's whole rows held at once

/// Logits of rows, [count, vocabulary], of the first `vocabulary` ids.
std::vector<float> whole_logits(const Model& model, const float* rows, int64_t count, int64_t vocabulary, Job& job) {
  std::vector<float> logits(static_cast<size_t>(count * vocabulary));
  const auto read = [&](float* block, int64_t width, int32_t first) {
    if (model.spec().logit_softcap > 0) soft_cap(block, count * width, model.spec().logit_softcap);
    const int64_t wanted = std::min(width, vocabulary - first);
    for (int64_t row = 0; row < count && wanted > 0; ++row)
      std::copy_n(block + row * width, wanted, logits.data() + row * vocabulary + first);
  };
  unembed(model, rows, count, read, job);
  return logits;
}

double divergence_of(const float* finetuned, const float* base, int64_t vocabulary) {
  LogSum f, b;
  f.add(finetuned, vocabulary);
  b.add(base, vocabulary);
  return divergence(finetuned, f.value(), base, b.value(), vocabulary);
}

}  // namespace

KlResult kl_divergence(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                       const Intervention& intervention, Job& job) {
  require_built_alike(base, finetuned);
  int64_t context = std::min(base.spec().prefix_context(), finetuned.spec().prefix_context());
  for (const Model* model : {&base, &finetuned}) {
    require_known_tokens(*model, tokens);
    require_positions(*model, tokens);
  }
  require_intervention(finetuned, intervention);
  if (intervention.source != nullptr) context = std::min(context, intervention.source->spec().prefix_context());
  KlResult result;
  result.vocabulary = std::min(base.spec().vocab_size, finetuned.spec().vocab_size);
  for (int64_t i = 0; i < tokens.sequences(); ++i) result.per_token.emplace_back(tokens.sequence(i).size());

  const int64_t together = std::max<int64_t>(1, kLogitBytes / (result.vocabulary * static_cast<int64_t>(sizeof(float))));
  const Waves waves(tokens, context, job);
  for (const PrefixTree& tree : waves.trees()) {
    const auto base_rows = final_residuals(base, tree, {}, job);
    const auto finetuned_rows = final_residuals(finetuned, tree, intervention, job);
    std::vector<double> own(static_cast<size_t>(tree.nodes()));
    for (int64_t from = 0; from < tree.nodes(); from += together) {
      const int64_t here = std::min(together, tree.nodes() - from);
      const auto b = whole_logits(base, base_rows.data() + from * base.spec().d_model, here, result.vocabulary, job);
      const auto f =
          whole_logits(finetuned, finetuned_rows.data() + from * finetuned.spec().d_model, here, result.vocabulary, job);
#pragma omp parallel for schedule(static)
      for (int64_t row = 0; row < here; ++row) {
        if (job.cancelled.load(std::memory_order_relaxed)) continue;
        own[static_cast<size_t>(from + row)] =
            divergence_of(f.data() + row * result.vocabulary, b.data() + row * result.vocabulary, result.vocabulary);
      }
      job.throw_if_cancelled();
    }
    for (size_t i = 0; i < tree.sequence.size(); ++i) {
      const auto path = tree.path(i);
      for (size_t t = 0; t < path.size(); ++t)
        result.per_token[static_cast<size_t>(tree.sequence[i])][t] = own[static_cast<size_t>(path[t])];
    }
    waves.done(tree);
  }
  return result;
}

}  // namespace deltascope
