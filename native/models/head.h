#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/unembedding.h"

namespace deltascope {

/// The final norm of rows [rows, d_model].
std::vector<float> final_norm(const Model& model, std::span<const float> vectors, int64_t rows);

/// Final norm, then the unembedding, block of vocabulary by block: `read` gets [rows, count] float32 logits
/// (dense) of the ids first, first + 1, …, in the order of ids. The final logit soft cap is
/// not applied; `read` may change the block.
/// vectors: [rows, d_model] float32.
void unembed(const Model& model, const float* vectors, int64_t rows,
             const LogitBlockReader& read, Job& job);

/// vectors: [rows, d_model] float32, raw. 1 ≤ k ≤ vocabulary size.
std::vector<LensReading> logit_lens(const Model& model, const float* vectors, int64_t rows, int64_t k,
                                    Job& job);

}  // namespace deltascope
