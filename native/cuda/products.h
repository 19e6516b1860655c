#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "cuda/runtime.h"

namespace deltascope::cuda {

/// y = scale · x · wᵀ, or y += that. w, x, y: device memory, rows of w and x dense.
struct Product {
  const void *x, *w;  // [rows, in], [out, in]; both bfloat16, or both float32
  float* y;           // [rows, out], row stride y_stride
  int64_t rows, out, in, y_stride;
  bool narrow;        // bfloat16, with float32 sums; else float32 throughout
  float scale = 1;
  bool adds = false;
};

/// Matrix products by a library that is looked for when this is made. One for each device.
class Products {
 public:
  /// Throws DEVICE_UNAVAILABLE, naming the places looked at.
  Products();
  ~Products();

  /// Enqueues a product. How it is cut does not depend on `rows`, so that a row has the same bits whatever stands beside it.
  void multiply(const Product& product, cudaStream_t stream);

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace deltascope::cuda
