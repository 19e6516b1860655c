#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// Which model is changed along a direction after one block, at every token, and how (method: arXiv 2510.13900).
enum class Effect {
  base_to_finetuned,  // the finetuned model, its component replaced by the base model's
  finetuned_to_base,  // the base model, its component replaced by the finetuned model's
  zero_finetuned,     // the finetuned model, its component removed
  zero_base,
};

struct CausalRequest {
  int64_t layer = 0;
  std::vector<float> vectors;  // [vectors, d_model]: directions, of any length above 0
  std::vector<Effect> effects;
  std::vector<uint8_t> mask;   // as the ids: predictions of tokens with 0 do not count; empty: all count
};

/// Surprise in nats, summed over texts by the token position that a prediction is made from (its column): a token at
/// position t + 1 counts in column t. C = longest text − 1.
struct CausalResult {
  int64_t columns = 0;
  std::vector<int64_t> counts;           // [C] predictions
  std::vector<double> base, finetuned;   // [C]
  std::vector<double> intervened;        // [effects, vectors, C]
};

/// Cross entropy of both models and under every effect along every vector. Blocks up to the layer are computed once; sums
/// do not depend on waves, threads or the order of texts. Throws INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE,
/// FILE_CHANGED.
CausalResult causal_effect(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                           const CausalRequest& request, Job& job);

}  // namespace deltascope
