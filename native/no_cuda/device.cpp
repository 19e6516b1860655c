#include "core/device.h"

namespace deltascope {

std::vector<Device> cuda_devices() { return {}; }

std::string cuda_absence() { return "this build has no CUDA backend"; }

}  // namespace deltascope
