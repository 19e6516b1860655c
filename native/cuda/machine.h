#pragma once

#include <memory>

#include "cuda/products.h"
#include "cuda/runtime.h"

namespace deltascope::cuda {

/// What everything on the device shares. All work goes over `compute`, in the order in which it was asked for; weights come over
/// `transfer`.
struct Machine {
  Stream compute = make_stream(), transfer = make_stream();
  Products products;

  cudaStream_t stream() const { return compute.get(); }
};

/// A machine that has been seen to compute right. Throws DEVICE_UNAVAILABLE with the reason where there is none, whatever that is.
std::shared_ptr<Machine> open_machine();

}  // namespace deltascope::cuda
