#pragma once

#include <algorithm>
#include <string>
#include <vector>

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

/// Values on the device.
template <typename T>
struct There {
  explicit There(const std::vector<T>& values) : count(static_cast<int64_t>(values.size())) {
    bytes.reserve(std::max<int64_t>(count, 1) * static_cast<int64_t>(sizeof(T)));
    cuda::copy(get(), values.data(), count, stream());
    cuda::wait(stream());
  }
  T* get() const { return bytes.as<T>(); }
  std::vector<T> back() const {
    std::vector<T> values(static_cast<size_t>(count));
    cuda::copy(values.data(), static_cast<const T*>(get()), count, stream());
    cuda::wait(stream());
    return values;
  }
  static cudaStream_t stream() { return nullptr; }

  int64_t count;
  cuda::DeviceBytes bytes;
};

inline constexpr cudaStream_t kStream = nullptr;

inline std::vector<float> floats(int64_t count, uint32_t seed, float scale = 1) {
  return random_floats(static_cast<size_t>(count), seed, scale);
}

}  // namespace deltascope::test
