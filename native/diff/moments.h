#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/exact_sum.h"

namespace deltascope {

/// Statistics of paired activations at one (layer, position), over samples. Everything is a sum held exactly
/// (core/exact_sum.h): order, batches, waves and threads leave no trace, and disjoint sets of samples merge
/// exactly.
class Moments {
 public:
  /// swaps: how many times base and finetuned change places at random, sample by sample, for the noise floor. compat:
  /// activations, each difference and the means are rounded to bfloat16, as the published implementation's are.
  explicit Moments(int64_t d_model, int64_t swaps = 0, bool compat = false);

  /// One distinct activation pair that `count` samples have, `even` of them with an even sample index.
  /// base, finetuned: [d_model] float32. base_norm, finetuned_norm: their L2 norms. signs: [swaps], for each the sum over
  /// these samples of +1, or −1 where they are swapped.
  struct Pair {
    const float *base, *finetuned;
    int64_t count, even;
    double base_norm, finetuned_norm, squared_diff_norm;
    const int32_t* signs = nullptr;
  };
  void add(std::span<const Pair> pairs);

  void merge(const Moments& other);

  /// The same as `add`, of sums made elsewhere: [d_model] each in units of FixedSum, and swapped [d_model, swaps]; what does not
  /// fit is left out of them and counted in `spoiled`, [d_model], once a sample. pairs: as for `add`, without their values.
  struct Sums {
    const int128 *base, *finetuned, *diff, *even_diff, *even_base, *swapped;
    const int64_t* spoiled;
  };
  void add_sums(const Sums& sums, std::span<const Pair> pairs);

  int64_t samples() const { return samples_; }
  /// Values that were NaN, infinite or beyond ±2^37; the means of their dimension are NaN.
  int64_t not_finite() const { return not_finite_; }

  /// Mean over samples, [d_model], rounded once to float32. NaN without samples.
  void mean_base(float* out) const { mean(base_, out); }
  void mean_finetuned(float* out) const { mean(finetuned_, out); }
  /// Mean of finetuned − base: an exact sum of differences, so nothing cancels.
  void mean_diff(float* out) const { mean(diff_, out); }

  /// Σ over samples of the token norms, and how many.
  double base_norm_sum() const { return base_norms_.total(); }
  double finetuned_norm_sum() const { return finetuned_norms_.total(); }

  /// sqrt(Σ over dimensions of the unbiased variance of the diff / samples): the length of the standard error
  /// of the mean. 0 when the variance cannot be told from rounding in float64; NaN below two samples.
  double standard_error_norm() const;

  /// L2 norms of the mean diff under the random swaps: were the models the same, the mean diff would be one of them. NaN
  /// without samples or swaps; the deviation also with a single swap.
  struct SwapNorms {
    double mean, deviation, highest;
  };
  SwapNorms swap_norms() const;

  /// L2 norm of the difference between the base means of the samples with even and with odd index: what the choice of texts
  /// alone does. NaN when a half is empty.
  double base_split_norm() const;

  /// Cosine of the mean diffs of the samples with even and with odd index; NaN when a half is empty or zero.
  double split_half_cosine() const;

 private:
  void mean(const std::vector<int128>& sums, float* out) const;
  void add_scalars(std::span<const Pair> pairs);

  int64_t d_model_, swaps_;
  bool compat_;
  int64_t samples_ = 0, even_samples_ = 0, not_finite_ = 0;
  std::vector<int128> base_, finetuned_, diff_, even_diff_, even_base_;  // [d_model], in units of FixedSum
  std::vector<int128> swapped_;                                   // [d_model, swaps]
  std::vector<uint8_t> spoiled_;                      // [d_model]
  ExactSum base_norms_, finetuned_norms_, squared_diffs_;
};

/// Which nodes of a tree count at which of some positions: entries, those of position p are first[p] … first[p + 1).
struct PairSamples {
  std::vector<int64_t> first;           // [positions + 1]
  std::vector<int32_t> node;            // [entries]
  std::vector<int64_t> count, even;     // [entries], as in Moments::Pair
  std::vector<int32_t> signs;           // [entries, swaps]
  int64_t d_model = 0, swaps = 0;
  bool compat = false;

  int64_t positions() const { return static_cast<int64_t>(first.size()) - 1; }
  int64_t entries() const { return static_cast<int64_t>(node.size()); }
};

/// Feeds residual streams [nodes, d_model] on the host to the statistics of each position, on all threads.
void add_moments(const float* base, const float* finetuned, const PairSamples& samples, std::span<Moments> moments);

/// ‖x‖ and ‖y − x‖² of rows in float64, summed in the order of the dimensions. compat: of values, and differences, rounded to
/// bfloat16.
double row_norm(const float* x, int64_t width, bool compat = false);
double squared_distance(const float* x, const float* y, int64_t width, bool compat = false);

}  // namespace deltascope
