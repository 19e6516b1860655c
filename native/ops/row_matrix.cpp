#include "ops/row_matrix.h"

namespace deltascope {

void RowMatrix::reset(int64_t out, int64_t in, DType dtype) {
  out_ = out, in_ = in, dtype_ = dtype;
  if (bytes() <= capacity_) return;
  capacity_ = 0;
  values_.reset();
  values_ = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(bytes()));
  capacity_ = bytes();
}

}  // namespace deltascope
