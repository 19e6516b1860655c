#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deltascope {

/// Cosines and sines of a rotary embedding's angles.
///   angle = position · frequency, both float32 as transformers has them; cosine and sine from float64, times `scale`.
class RotaryAngles {
 public:
  /// Prepares positions 0 … positions − 1 (at most kPrepared); later ones are computed when asked for.
  RotaryAngles(std::span<const float> frequencies, float scale, int64_t positions);

  /// Angles of one head.
  int64_t half() const { return static_cast<int64_t>(frequencies_.size()); }

  /// A position's [half] cosines, followed by its [half] sines. scratch: [2 · half], used beyond what is prepared.
  const float* at(int32_t position, float* scratch) const;

  static constexpr int64_t kPrepared = 2048;

 private:
  void compute(int32_t position, float* out) const;

  std::vector<float> frequencies_;
  float scale_;
  std::vector<float> prepared_;  // [positions, 2 · half]
};

/// Rotary position embedding over the first 2·half values of every head, halves paired (i with i + half), as
/// the Hugging Face checkpoints of Llama-like models expect; values behind them stay.
/// x: [rows, heads, head_dim] float32, row stride `stride`, changed in place. positions: one per row.
/// Source: Su et al. 2021, arXiv 2104.09864.
void apply_rotary(float* x, int64_t stride, std::span<const int32_t> positions, int64_t heads,
                  int64_t head_dim, const RotaryAngles& angles);

}  // namespace deltascope
