#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

struct ComponentsRequest {
  int64_t layer = 0;
  std::vector<int64_t> positions;
  int64_t components = 10;  // directions kept
};

/// Principal components of the samples' diffs x = finetuned − base at one position. Variances are those of the unbiased
/// covariance, float64; of every component there is, so that their sum is the total variance.
struct Components {
  int64_t samples = 0;
  std::vector<double> explained;   // [at most `components`] variance along each direction, largest first
  std::vector<float> directions;   // [explained.size(), d_model], unit length; the largest value of each is positive
  double total = 0;                // trace of the covariance
  double participation_ratio = 0;  // (Σλ)² / Σλ²: how many directions share the variance; NaN when there is none
  double mean_share = 0;           // ‖mean x‖² / mean ‖x‖²: 1 when every sample is moved alike; NaN when nothing moves
};

/// One per position, in the order asked. Throws INVALID_ARGUMENT (also where fewer than two samples reach a position),
/// PAIR_MISMATCH, OUT_OF_MEMORY, CANCELLED, FILE_UNREADABLE, FILE_CHANGED.
std::vector<Components> principal_components(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                                             const ComponentsRequest& request, Job& job);

/// The same of given rows [rows, d_model], row r standing for counts[r] samples.
Components components_of(const std::vector<float>& rows, const std::vector<int64_t>& counts, int64_t d_model,
                         int64_t components, const Job& job);

}  // namespace deltascope
