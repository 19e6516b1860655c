#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// The residual stream of every token: [layer in the order asked][sequence], each [tokens, d_model] float32.
/// Throws INVALID_ARGUMENT (layers, ids), CANCELLED, FILE_UNREADABLE.
std::vector<std::vector<std::vector<float>>> residuals(const Model& model, const TokenBatch& tokens,
                                                       const std::vector<int64_t>& layers, Job& job);

/// Next-token logits of every token: [sequence], each [tokens, vocabulary] float32.
std::vector<std::vector<float>> logits(const Model& model, const TokenBatch& tokens, Job& job);

/// Throws INVALID_ARGUMENT when an id is not in the vocabulary.
void require_known_tokens(const Model& model, const TokenBatch& tokens);

/// Throws INVALID_ARGUMENT when a sequence is longer than a table of learned positions.
void require_positions(const Model& model, const TokenBatch& tokens);

/// Throws INVALID_ARGUMENT unless every value is in [0, end), each once, and there is at least one.
void require_distinct(const char* what, const std::vector<int64_t>& values, int64_t end);

}  // namespace deltascope
