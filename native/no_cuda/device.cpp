#include "core/device.h"

#include "core/errors.h"
#include "models/backend.h"

namespace deltascope {

std::vector<Device> cuda_devices() { return {}; }

std::string cuda_absence() { return "this build has no CUDA backend"; }

std::shared_ptr<const Backend> cuda_backend() {
  throw Error(Code::device_unavailable, "no CUDA device: " + cuda_absence(), {{"field", "device"}});
}

}  // namespace deltascope
