#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/forward.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// A change of the residual stream after one block, at every token.
struct Intervention {
  enum class Kind {
    none,
    add,     // h + vector
    remove,  // h − (h·v̂) v̂, v̂ = vector / ‖vector‖
    swap,    // h + (s·v̂ − h·v̂) v̂, s the source model's residual at the same token
  };
  Kind kind = Kind::none;
  int64_t layer = 0;
  std::vector<float> vector;      // [d_model]
  const Model* source = nullptr;  // of a swap
};

/// Throws INVALID_ARGUMENT: a layer that is not there, a vector of another width, one that is not finite or has no
/// direction; PAIR_MISMATCH: a source that is built in another way.
void require_intervention(const Model& model, const Intervention& intervention);

/// Changes rows [rows, d_model] in place; `source` as rows, for a swap. Products of a row with the direction are float64.
void intervene(const Intervention& intervention, float* rows, const float* source, int64_t count, int64_t d_model);

/// The residual stream of each model after block `layer`: [models][nodes, d_model].
std::vector<std::vector<float>> residuals_after(const std::vector<const Model*>& models, const PrefixTree& tree,
                                                int64_t layer, Job& job, const Pass& pass = {});

/// The residual stream after the last block, before the final norm: [nodes, d_model].
std::vector<float> final_residuals(const Model& model, const PrefixTree& tree, const Intervention& intervention, Job& job);

/// The same from given residuals after block `layer` on.
std::vector<float> finish(const Model& model, const PrefixTree& tree, std::vector<float> residuals, int64_t layer, Job& job);

}  // namespace deltascope
