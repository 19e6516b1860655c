#pragma once

namespace emulator {

/// What the emulated cuBLASLt is told to do, and what it did.
struct Cublaslt {
  int refusals = 0, status = 0;  // so many products from now on are not done and answered with this
  bool needs_own_plan = false;   // products of other rows than they were planned for are not supported
  int plans = 0;                 // that have been made
};

}  // namespace emulator
