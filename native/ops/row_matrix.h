#pragma once

#include <cstdint>
#include <memory>

#include "core/dtype.h"

namespace deltascope {

/// A linear layer's weights [out, in] as they are stored: dense rows of float32, float16 or bfloat16. For
/// products with a few rows, which take as long as reading the weights.
class RowMatrix {
 public:
  /// Takes a shape and a type; what it held is gone, and its values are not set. Memory is kept where it is
  /// enough.
  void reset(int64_t out, int64_t in, DType dtype);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  DType dtype() const { return dtype_; }
  int64_t row_bytes() const { return in_ * size_of(dtype_); }
  int64_t bytes() const { return out_ * row_bytes(); }
  explicit operator bool() const { return out_ > 0; }

  uint8_t* row(int64_t i) { return values_.get() + i * row_bytes(); }
  const uint8_t* row(int64_t i) const { return values_.get() + i * row_bytes(); }

 private:
  int64_t out_ = 0, in_ = 0, capacity_ = 0;
  DType dtype_ = DType::f32;
  std::unique_ptr<uint8_t[]> values_;
};

}  // namespace deltascope
