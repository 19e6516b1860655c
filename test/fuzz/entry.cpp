// libFuzzer's entry: one program per target, which DELTASCOPE_TARGET names.
#include <cstddef>
#include <cstdint>

#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  deltascope::fuzz::DELTASCOPE_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
