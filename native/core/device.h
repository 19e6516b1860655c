#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace deltascope {

struct Device {
  std::string kind;  // "cpu" or "cuda"
  std::string name;
};

/// CUDA devices that this build can use. Defined by cuda/, or by no_cuda/ in a build without it.
std::vector<Device> cuda_devices();

/// Why there are none, in words for a user; "" when there are.
std::string cuda_absence();

}  // namespace deltascope
