#include "models/backend.h"

#include <mutex>
#include <string>

#include "core/errors.h"
#include "cuda/text_blocks.h"
#include "cuda/tree_blocks.h"
#include "cuda/unembedding.h"

namespace deltascope {
namespace cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(Device device) : device_(std::move(device)), machine_(open_machine()) {}

  const Device& device() const override { return device_; }

  std::unique_ptr<TreeBlocks> tree_blocks(std::vector<const Model*> models) const override {
    return std::make_unique<CudaTreeBlocks>(machine_, std::move(models));
  }

  std::unique_ptr<TextBlocks> text_blocks(const Model& model, int64_t weights_budget) const override {
    return std::make_unique<CudaTextBlocks>(machine_, model, weights_budget);
  }

  int64_t text_budget(int64_t) const override { return free_bytes() / 10 * 8; }

  std::unique_ptr<Unembedding> unembedding(const Model& model) const override {
    return std::make_unique<CudaUnembedding>(machine_, model);
  }

 private:
  const Device device_;
  std::shared_ptr<Machine> machine_;
};

/// Why no device can be used, "" when one can; its name.
std::string look_for_device(std::string& name) {
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count == 0) status = cudaErrorNoDevice;
  cudaDeviceProp properties{};
  if (status == cudaSuccess) status = cudaGetDeviceProperties(&properties, 0);
  if (status != cudaSuccess) {
    (void)cudaGetLastError();
    return cudaGetErrorString(status);
  }
  name = properties.name;
  if (properties.major < 8)
    return name + " has compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) +
           "; 8.0 is the least";
  return "";
}

}  // namespace
}  // namespace cuda

std::vector<Device> cuda_devices() {
  if (!cuda_absence().empty()) return {};
  return {cuda_backend()->device()};
}

std::string cuda_absence() {
  // Only trying it shows whether a device can be used; once.
  static const std::string absence = [] {
    try {
      (void)cuda_backend();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  }();
  return absence;
}

std::shared_ptr<const Backend> cuda_backend() {
  static std::mutex mutex;
  static auto& backend = *new std::shared_ptr<const Backend>;  // never destroyed: the runtime may be gone before it
  const std::lock_guard lock(mutex);
  if (backend) return backend;
  std::string name;
  const std::string absence = cuda::look_for_device(name);
  if (!absence.empty())
    throw Error(Code::device_unavailable, "no CUDA device: " + absence, {{"field", "device"}});
  backend = std::make_shared<cuda::CudaBackend>(Device{"cuda", name});
  return backend;
}

}  // namespace deltascope
