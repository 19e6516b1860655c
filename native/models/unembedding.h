#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "core/job.h"
#include "ops/top_k.h"

namespace deltascope {

/// Logits [rows, count] float32 (dense, on the host) of the ids first, first + 1, …; they may be changed.
using LogitBlockReader = std::function<void(float* logits, int64_t count, int32_t first)>;

/// What one vector says through the final norm and unembedding (nostalgebraist 2020, "logit lens").
struct LensReading {
  std::vector<std::pair<RankedId, double>> top;  // k largest with p = softmax(z)
  std::vector<std::pair<RankedId, double>>
      bottom;  // k smallest with p = softmax(−z): the sign flips after the norm
};

/// A mean of next-token probabilities over some prompts, of the ids that are among the first `intersection` of each.
struct Averaging {
  int64_t prompts = 1;
  int64_t k = 1;             // ids kept: the most probable, those above 0
  int64_t intersection = 0;  // 0: all ids
  bool compat = false;       // each prompt's probabilities are rounded to bfloat16
};

struct LikelyToken {
  int32_t id;
  double probability;
};

/// The final norm and unembedding of one model, and what is read of its logits, where these are computed: only what was asked for
/// reaches the host. vectors: [rows, d_model] float32 on the host, raw. Norm, products and logits are float32. Equal values rank by
/// id, lower first; NaN ranks nowhere, and makes the probabilities of its row NaN. Any number of threads may use it.
/// All throw CANCELLED, FILE_CHANGED, FILE_UNREADABLE, OUT_OF_MEMORY.
class Unembedding {
 public:
  virtual ~Unembedding() = default;

  /// How many rows at once it reads the vocabulary for best.
  virtual int64_t rows_together() const = 0;

  /// All logits, block of vocabulary by block, in the order of ids. The final soft cap is not applied.
  virtual void logits(const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) const = 0;

  /// See logit_lens; no soft cap. 1 ≤ k ≤ vocabulary.
  virtual std::vector<LensReading> lens(const float* vectors, int64_t rows, int64_t k, Job& job) const = 0;

  /// −log p in nats, soft cap applied, of the ids with the numbers first[row] … first[row + 1] − 1 after that row: [ids].
  virtual std::vector<double> losses(const float* vectors, int64_t rows, std::span<const int32_t> first,
                                     std::span<const int32_t> ids, Job& job) const = 0;

  /// The means of each of `lists` lists, soft cap applied, most probable first. vectors: [lists · prompts, d_model], the prompts of a
  /// list one after another.
  virtual std::vector<std::vector<LikelyToken>> averages(const float* vectors, int64_t lists, const Averaging& how,
                                                         Job& job) const = 0;
};

}  // namespace deltascope
