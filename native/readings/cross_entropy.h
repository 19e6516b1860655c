#pragma once

#include <vector>

#include "readings/intervention.h"

namespace deltascope {

/// −log p of every token but the first of each text, in nats, float64: [sequence][tokens − 1]; of shorter texts nothing.
/// Throws INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED.
std::vector<std::vector<double>> cross_entropy(const Model& model, const TokenBatch& tokens,
                                               const Intervention& intervention, Job& job);

}  // namespace deltascope
