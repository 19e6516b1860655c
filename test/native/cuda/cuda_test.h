#pragma once

#include <iostream>
#include <string>

#include "core/device.h"
#include "cuda/machine.h"
#include "models/backend.h"
#include "support.h"

namespace deltascope::test {

/// Whether there is no device to test on, which is said once.
inline bool no_device() {
  static const bool absent = [] {
    const std::string absence = cuda_absence();
    if (!absence.empty()) std::cout << "skipped: no device (" << absence << ")\n";
    return !absence.empty();
  }();
  return absent;
}

/// A test that is there on every machine, and counts as skipped where there is no device.
#define CUDA_TEST_CASE(title) TEST_CASE("CUDA: " title* doctest::skip(deltascope::test::no_device()))

/// Only where a device is.
inline cuda::Machine& test_machine() {
  static auto& machine = *new cuda::Machine;
  return machine;
}

}  // namespace deltascope::test
