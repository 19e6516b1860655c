#include "cuda/machine.h"

#include <string>
#include <vector>

#include "core/errors.h"
#include "cuda/kernels.h"

namespace deltascope::cuda {
namespace {

/// A kernel, and a product of each kind: whether this build has code for the device, and the library runs there, shows only
/// when something is asked of them. The numbers are whole and small, so that every sum is exact.
void try_out(Machine& machine) {
  constexpr int64_t kSide = 64, kCount = kSide * kSide;
  std::vector<float> x(kCount), w(kCount), got(kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    x[static_cast<size_t>(i)] = static_cast<float>(i % 7 - 3);
    w[static_cast<size_t>(i)] = static_cast<float>(i % 11 - 5);
  }
  DeviceBytes wide, narrow, y;
  wide.reserve(2 * kCount * 4);
  narrow.reserve(2 * kCount * 2);
  y.reserve(kCount * 4);
  const cudaStream_t stream = machine.stream();
  copy(wide.as<float>(), static_cast<const float*>(x.data()), kCount, stream);
  copy(wide.as<float>() + kCount, static_cast<const float*>(w.data()), kCount, stream);
  round_to_bf16(wide.as<float>(), narrow.as<uint16_t>(), 2 * kCount, stream);
  for (const bool is_narrow : {false, true}) {
    const void* from = is_narrow ? narrow.as<void>() : wide.as<void>();
    const void* weights = is_narrow ? static_cast<void*>(narrow.as<uint16_t>() + kCount) : wide.as<float>() + kCount;
    machine.products.multiply({from, weights, y.as<float>(), kSide, kSide, kSide, kSide, is_narrow}, stream);
    copy(got.data(), y.as<const float>(), kCount, stream);
    wait(stream);
    for (int64_t row = 0; row < kSide; ++row) {
      for (int64_t out = 0; out < kSide; ++out) {
        float want = 0;
        for (int64_t k = 0; k < kSide; ++k) want += x[static_cast<size_t>(row * kSide + k)] * w[static_cast<size_t>(out * kSide + k)];
        const float is = got[static_cast<size_t>(row * kSide + out)];
        if (is == want) continue;
        throw Error(Code::device_unavailable,
                    std::string("a product of ") + (is_narrow ? "bfloat16" : "float32") + " values is " + std::to_string(is) +
                        " and should be " + std::to_string(want));
      }
    }
  }
}

}  // namespace

std::shared_ptr<Machine> open_machine() {
  try {
    auto machine = std::make_shared<Machine>();
    try_out(*machine);
    return machine;
  } catch (const Error& error) {
    Error::Details details = error.details();
    if (error.code() != Code::device_unavailable) details.emplace_back("field", "device");
    throw Error(Code::device_unavailable, error.what(), details);
  }
}

}  // namespace deltascope::cuda
