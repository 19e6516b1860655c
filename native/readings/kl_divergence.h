#pragma once

#include <cstdint>
#include <vector>

#include "readings/intervention.h"

namespace deltascope {

struct KlResult {
  std::vector<std::vector<double>> per_token;  // [sequence][tokens]
  int64_t vocabulary = 0;                      // ids compared: those that both models have
};

/// KL(finetuned ‖ base) of the next-token distributions after every token, in nats. Logits are float32 (soft caps applied),
/// all else float64; ids that only one model has are left out of both. An intervention changes the finetuned model.
/// Throws INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED.
KlResult kl_divergence(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                       const Intervention& intervention, Job& job);

}  // namespace deltascope
