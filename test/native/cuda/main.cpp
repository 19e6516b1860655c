// Tests that need a device are there on every machine, and left out where it has none. Whether it has is asked once the program
// runs: CUDA must not be called before main.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "core/device.h"

int main(int count, char** values) {
#ifdef EMULATED_CUBLASLT
  setenv("DELTASCOPE_CUBLASLT", EMULATED_CUBLASLT, 1);
#endif
  doctest::Context context(count, values);
  const std::string absence = deltascope::cuda_absence();
  if (!absence.empty()) {
    std::cout << "skipped: no device (" << absence << ")\n";
    context.addFilter("test-case-exclude", "CUDA:*");
  }
  return context.run();
}
