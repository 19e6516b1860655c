#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// What to measure.
struct DiffRequest {
  std::vector<int64_t> layers;     // decoder blocks, any order, no repeats
  std::vector<int64_t> positions;  // token indices from the start, any order, no repeats
  int64_t memory_budget =
      0;  // bytes; 0: 1 GiB, or more when the model needs it
  bool compat = false;  // round as the published implementation does with bfloat16 models, see Moments
};

/// The answer; L layers and P positions in the order asked, d = d_model.
struct DiffResult {
  std::vector<float> mean_diff, base_mean, finetuned_mean;    // [L, P, d]; NaN where no sample reaches
  std::vector<float> base_norm, finetuned_norm;               // [L]
  std::vector<float> standard_error_norm, split_half_cosine;  // [L, P]
  std::vector<float> swap_norm_mean, swap_norm_deviation, swap_norm_max;  // [L, P], see Moments::swap_norms
  std::vector<float> base_split_norm;                                     // [L, P], see Moments::base_split_norm
  int64_t swaps = 0;           // 32, or fewer (8 at least) where they would take more than 256 MiB
  std::vector<int64_t> counts;                                // [P]: samples that reach the position
  int64_t samples = 0;
  int64_t unique_prefixes = 0;
  int64_t waves = 0;       // trees that the texts were cut into to keep the budget
  int64_t not_finite = 0;  // activations that were NaN, infinite or beyond ±2^37
  /// Values among the weights that were read, up to the last measured block, that are NaN or infinite.
  int64_t base_weights_not_finite = 0, finetuned_weights_not_finite = 0;
  bool shared_weights = false;
};

/// The paired measurement of the Activation Difference Lens (arXiv 2510.13900): activations of both models on
/// the same tokens, reduced per (layer, position) as they come (see Moments). base_norm, finetuned_norm: mean
/// token norm over samples and the positions ≥ 5, all measured positions when there are none (the published
/// method skips the first five). Throws PAIR_MISMATCH when width or depth differ, INVALID_ARGUMENT,
/// OUT_OF_MEMORY (the budget is below the least that a wave needs, both numbers named), CANCELLED.
DiffResult paired_diff(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                       const DiffRequest& request, Job& job);

}  // namespace deltascope
