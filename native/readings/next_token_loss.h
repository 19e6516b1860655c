#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// How surprised a model is by every node of a tree, given its parent: −log p(token | the path above it), in nats, [nodes].
/// NaN at roots, which nothing predicts. residuals: [nodes, d_model], after the last block. Logits are float32 (soft cap
/// applied), their log-softmax is float64 (ops/log_sum.h).
std::vector<double> next_token_loss(const Model& model, const PrefixTree& tree, const float* residuals, Job& job);

}  // namespace deltascope
