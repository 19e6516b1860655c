#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/dtype.h"

namespace deltascope {

/// What products are computed from: float32, or bfloat16 with float32 sums.
enum class Precision { float32, bfloat16 };

/// "float32" or "bfloat16".
const char* name(Precision precision);

/// Whether `matmul` multiplies bfloat16 panels here. Where it does not, values rounded to bfloat16 are kept and multiplied
/// as float32.
bool has_bfloat16_product();

/// A linear layer's weights [out, in] as `matmul` wants them: transposed, in panels of kPanel outputs, the last one
/// narrower. Panel p is [in, width(p)] and begins at p · kPanel · in.
class PackedMatrix {
 public:
  static constexpr int64_t kPanel = 512;

  /// Takes a shape and a precision; what it held is gone. Memory is kept for the next shape.
  void reset(int64_t out, int64_t in, Precision precision);

  /// Sets outputs first … first + count from their dense rows, [count, in] of a float32, float16 or bfloat16
  /// tensor. Different rows may be set from different threads. Returns how many of the values are NaN or infinite.
  int64_t set_outputs(int64_t first, int64_t count, const uint8_t* rows, DType dtype);

  /// Sets one input's weights for all outputs from a dense row of [out] values: for tensors stored [in, out].
  int64_t set_input(int64_t input, const uint8_t* row, DType dtype);

  /// From dense float32 [out, in].
  static PackedMatrix from(std::span<const float> weights, int64_t out, int64_t in,
                           Precision precision = Precision::float32);

  /// Outputs first … first + count as a matrix of their own. first: where a panel begins.
  PackedMatrix outputs(int64_t first, int64_t count) const;

  /// Writes the panels of a float32 matrix as dense rows [out, in].
  void copy_rows(float* to) const;

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  Precision precision() const { return precision_; }
  /// Whether the panels hold bfloat16 values, and not float32 ones.
  bool is_narrow() const { return is_narrow(precision_); }
  int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  int64_t width(int64_t panel) const { return panel + 1 < panels() ? kPanel : out_ - panel * kPanel; }

  /// The panel's [in, width] values; of the type that is_narrow says.
  const float* panel_f32(int64_t panel) const { return f32_.data() + panel * kPanel * in_; }
  const uint16_t* panel_bf16(int64_t panel) const { return bf16_.data() + panel * kPanel * in_; }

  static int64_t bytes(int64_t out, int64_t in, Precision precision) {
    return out * in * (is_narrow(precision) ? 2 : 4);
  }

 private:
  static bool is_narrow(Precision precision) { return precision == Precision::bfloat16 && has_bfloat16_product(); }

  int64_t out_ = 0, in_ = 0;
  Precision precision_ = Precision::float32;
  std::vector<float> f32_;
  std::vector<uint16_t> bf16_;
};

}  // namespace deltascope
