#pragma once

#include <string>

#include "core/device.h"
#include "cuda/machine.h"
#include "models/backend.h"
#include "support.h"

namespace deltascope::test {

/// A test that is there on every machine, and counts as skipped where there is no device: main leaves these out by their name.
#define CUDA_TEST_CASE(title) TEST_CASE("CUDA: " title)

/// Only where a device is.
inline cuda::Machine& test_machine() {
  static auto& machine = *new cuda::Machine;
  return machine;
}

}  // namespace deltascope::test
