#pragma once

#include <string>

#include "core/device.h"
#include "cuda/machine.h"
#include "models/backend.h"
#include "support.h"

namespace deltascope::test {

/// Whether there is no device to test on; then the test says so. It never counts as a test of the device.
inline bool skipped_without_device() {
  const std::string absence = cuda_absence();
  if (absence.empty()) return false;
  MESSAGE("skipped: no device (" << absence << ")");
  return true;
}

/// Only where a device is.
inline cuda::Machine& test_machine() {
  static auto& machine = *new cuda::Machine;
  return machine;
}

}  // namespace deltascope::test
