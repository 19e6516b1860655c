#include "diff/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dtype.h"

namespace deltascope {
namespace {

float rounded(float x, bool compat) { return compat ? round_to_bf16(x) : x; }

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Moments::Moments(int64_t d_model, int64_t swaps, bool compat)
    : d_model_(d_model),
      swaps_(swaps),
      compat_(compat),
      base_(static_cast<size_t>(d_model)),
      finetuned_(static_cast<size_t>(d_model)),
      diff_(static_cast<size_t>(d_model)),
      even_diff_(static_cast<size_t>(d_model)),
      even_base_(static_cast<size_t>(d_model)),
      swapped_(static_cast<size_t>(d_model * swaps)),
      spoiled_(static_cast<size_t>(d_model)) {}

void Moments::add(std::span<const Pair> pairs) {
  int64_t not_finite = 0;
  constexpr int64_t kPiece = 64;  // dimensions a thread takes at once: whole cache lines, all pairs
#pragma omp parallel for schedule(static) reduction(+ : not_finite)
  for (int64_t begin = 0; begin < d_model_; begin += kPiece) {
    const int64_t end = std::min(begin + kPiece, d_model_);
    for (const Pair& pair : pairs) {
      for (int64_t j = begin; j < end; ++j) {
        const float b = rounded(pair.base[j], compat_), f = rounded(pair.finetuned[j], compat_);
        const auto at = static_cast<size_t>(j);
        if (!FixedSum::fits(b) || !FixedSum::fits(f)) {
          spoiled_[at] = 1;
          not_finite += ((FixedSum::fits(b) ? 0 : 1) + (FixedSum::fits(f) ? 0 : 1)) * pair.count;
          continue;
        }
        const int128 base_units = FixedSum::to_units(b), finetuned_units = FixedSum::to_units(f);
        base_[at] += base_units * pair.count;
        finetuned_[at] += finetuned_units * pair.count;
        const int128 diff = compat_ ? FixedSum::to_units(round_to_bf16(f - b)) : finetuned_units - base_units;
        diff_[at] += diff * pair.count;
        even_diff_[at] += diff * pair.even;
        even_base_[at] += base_units * pair.even;
        int128* swapped = swapped_.data() + j * swaps_;
        for (int64_t s = 0; s < swaps_; ++s) swapped[s] += diff * pair.signs[s];
      }
    }
  }
  not_finite_ += not_finite;
  add_scalars(pairs);
}

void Moments::add_sums(const Sums& sums, std::span<const Pair> pairs) {
  for (size_t j = 0; j < base_.size(); ++j) {
    base_[j] += sums.base[j];
    finetuned_[j] += sums.finetuned[j];
    diff_[j] += sums.diff[j];
    even_diff_[j] += sums.even_diff[j];
    even_base_[j] += sums.even_base[j];
    spoiled_[j] |= sums.spoiled[j] != 0;
    not_finite_ += sums.spoiled[j];
  }
  for (size_t i = 0; i < swapped_.size(); ++i) swapped_[i] += sums.swapped[i];
  add_scalars(pairs);
}

void Moments::add_scalars(std::span<const Pair> pairs) {
  for (const Pair& pair : pairs) {
    samples_ += pair.count;
    even_samples_ += pair.even;
    base_norms_.add(pair.base_norm, pair.count);
    finetuned_norms_.add(pair.finetuned_norm, pair.count);
    squared_diffs_.add(pair.squared_diff_norm, pair.count);
  }
}

void Moments::merge(const Moments& other) {
  for (size_t j = 0; j < base_.size(); ++j) {
    base_[j] += other.base_[j];
    finetuned_[j] += other.finetuned_[j];
    diff_[j] += other.diff_[j];
    even_diff_[j] += other.even_diff_[j];
    even_base_[j] += other.even_base_[j];
    spoiled_[j] |= other.spoiled_[j];
  }
  for (size_t i = 0; i < swapped_.size(); ++i) swapped_[i] += other.swapped_[i];
  samples_ += other.samples_;
  even_samples_ += other.even_samples_;
  not_finite_ += other.not_finite_;
  base_norms_.merge(other.base_norms_);
  finetuned_norms_.merge(other.finetuned_norms_);
  squared_diffs_.merge(other.squared_diffs_);
}

void Moments::mean(const std::vector<int128>& sums, float* out) const {
  for (size_t j = 0; j < sums.size(); ++j) {
    out[j] = spoiled_[j] || samples_ == 0
                 ? std::numeric_limits<float>::quiet_NaN()
                 : rounded(static_cast<float>(FixedSum::to_double(sums[j]) / static_cast<double>(samples_)), compat_);
  }
}

double Moments::standard_error_norm() const {
  if (samples_ < 2) return kNaN;
  const double n = static_cast<double>(samples_);
  double squared_mean = 0;
  for (size_t j = 0; j < base_.size(); ++j) {
    if (spoiled_[j]) return kNaN;
    const double mean = FixedSum::to_double(diff_[j]) / n;
    squared_mean += mean * mean;
  }
  const double squares = squared_diffs_.total(), spread = squares - n * squared_mean;
  // Each ‖diff‖² is itself rounded: below this the two terms agree to their last bits.
  const double floor = squares * static_cast<double>(d_model_) * 0x1p-50;
  if (std::isnan(spread)) return kNaN;
  return spread <= floor ? 0.0 : std::sqrt(spread / (n - 1) / n);
}

Moments::SwapNorms Moments::swap_norms() const {
  const bool spoiled = std::find(spoiled_.begin(), spoiled_.end(), 1) != spoiled_.end();
  if (samples_ == 0 || swaps_ == 0 || spoiled) return {kNaN, kNaN, kNaN};
  std::vector<double> squares(static_cast<size_t>(swaps_));
  for (int64_t j = 0; j < d_model_; ++j) {
    for (int64_t s = 0; s < swaps_; ++s) {
      const double mean =
          FixedSum::to_double(swapped_[static_cast<size_t>(j * swaps_ + s)]) / static_cast<double>(samples_);
      squares[static_cast<size_t>(s)] += mean * mean;
    }
  }
  double sum = 0, highest = 0, spread = 0;
  for (const double square : squares) {
    sum += std::sqrt(square);
    highest = std::max(highest, std::sqrt(square));
  }
  const auto count = static_cast<double>(swaps_);
  for (const double square : squares) spread += (std::sqrt(square) - sum / count) * (std::sqrt(square) - sum / count);
  return {sum / count, swaps_ > 1 ? std::sqrt(spread / (count - 1)) : kNaN, highest};
}

double Moments::base_split_norm() const {
  if (even_samples_ == 0 || even_samples_ == samples_) return kNaN;
  double square = 0;
  for (size_t j = 0; j < base_.size(); ++j) {
    if (spoiled_[j]) return kNaN;
    const double difference = FixedSum::to_double(even_base_[j]) / static_cast<double>(even_samples_) -
                              FixedSum::to_double(base_[j] - even_base_[j]) / static_cast<double>(samples_ - even_samples_);
    square += difference * difference;
  }
  return std::sqrt(square);
}

double Moments::split_half_cosine() const {
  if (even_samples_ == 0 || even_samples_ == samples_) return kNaN;
  double dot = 0, even_square = 0, odd_square = 0;
  for (size_t j = 0; j < base_.size(); ++j) {
    if (spoiled_[j]) return kNaN;
    const double even = FixedSum::to_double(even_diff_[j]) / static_cast<double>(even_samples_);
    const double odd = FixedSum::to_double(diff_[j] - even_diff_[j]) /
                       static_cast<double>(samples_ - even_samples_);
    dot += even * odd;
    even_square += even * even;
    odd_square += odd * odd;
  }
  const double scale = std::sqrt(even_square) * std::sqrt(odd_square);
  return scale > 0 ? std::clamp(dot / scale, -1.0, 1.0) : kNaN;
}

void add_moments(const float* base, const float* finetuned, const PairSamples& samples, std::span<Moments> moments) {
  const int64_t d = samples.d_model;
  std::vector<Moments::Pair> pairs(static_cast<size_t>(samples.entries()));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < samples.entries(); ++i) {
    const auto at = static_cast<size_t>(i);
    const float *b = base + samples.node[at] * d, *f = finetuned + samples.node[at] * d;
    pairs[at] = {b,
                 f,
                 samples.count[at],
                 samples.even[at],
                 row_norm(b, d, samples.compat),
                 row_norm(f, d, samples.compat),
                 squared_distance(b, f, d, samples.compat),
                 samples.signs.data() + i * samples.swaps};
  }
  for (size_t p = 0; p < moments.size(); ++p) {
    const auto from = static_cast<size_t>(samples.first[p]), to = static_cast<size_t>(samples.first[p + 1]);
    moments[p].add(std::span(pairs).subspan(from, to - from));
  }
}

double row_norm(const float* x, int64_t width, bool compat) {
  double sum = 0;
  for (int64_t j = 0; j < width; ++j) {
    const double value = rounded(x[j], compat);
    sum += value * value;
  }
  return std::sqrt(sum);
}

double squared_distance(const float* x, const float* y, int64_t width, bool compat) {
  double sum = 0;
  for (int64_t j = 0; j < width; ++j) {
    const double difference = compat ? round_to_bf16(round_to_bf16(x[j]) - round_to_bf16(y[j])) : static_cast<double>(x[j]) - y[j];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace deltascope
