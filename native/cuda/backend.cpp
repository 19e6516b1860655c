#include "models/backend.h"

#include <algorithm>
#include <mutex>
#include <string>

#include "core/errors.h"
#include "cuda/text_blocks.h"
#include "cuda/tree_blocks.h"
#include "models/layer_weights.h"

namespace deltascope {
namespace cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kVocabularyBlock = 4096;
constexpr int64_t kUnembedRows = 4096;

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

  int64_t unembed_rows() const override { return kUnembedRows; }

  void unembed(const Model& model, const float* vectors, int64_t rows, const LogitBlockReader& read,
               Job& job) const override {
    const ModelSpec& spec = model.spec();
    const int64_t d = spec.d_model, block = std::min(kVocabularyBlock, spec.vocab_size);
    const cudaStream_t stream = machine_->stream();
    model.require_unchanged();
    Slots slots;
    Multiplier multiplier(*machine_, slots, false);
    const DeviceAdapter adapter(*machine_, model, DeviceAdapter::Part::head);
    const Update* update = adapter.head();
    int64_t ignored = 0;
    const NormValues norm = read_norm(model.final_norm(), spec.norm_plus_one, ignored);
    DeviceBytes factors, x, logits;
    PinnedBytes host;
    factors.reserve(2 * d * kFloat);
    x.reserve(rows * d * kFloat);
    logits.reserve(rows * block * kFloat);
    host.reserve(rows * block * kFloat);
    auto* gamma = factors.as<float>();
    copy(gamma, norm.gamma.data(), static_cast<int64_t>(norm.gamma.size()), stream);
    copy(gamma + d, norm.beta.data(), static_cast<int64_t>(norm.beta.size()), stream);
    copy(x.as<float>(), vectors, rows * d, stream);
    if (spec.norm == deltascope::Norm::rms) {
      rms_norm(x.as<float>(), gamma, spec.norm_eps, x.as<float>(), rows, d, stream);
    } else {
      layer_norm(x.as<float>(), gamma, gamma + d, spec.norm_eps, x.as<float>(), rows, d, stream);
    }
    Stage stage(*machine_);
    const DType type = row_dtype(model.head(), Precision::float32);
    for (int64_t first = 0; first < spec.vocab_size; first += block) {
      const int64_t count = std::min(block, spec.vocab_size - first);
      const uint8_t* weights = stage.bring(count * d * size_of(type), [&](uint8_t* to) {
        read_rows({model.head(), {}, first}, count, d, false, Precision::float32, job, to);
      });
      multiplier.multiply({weights, type, count, d}, x.as<void>(), logits.as<float>(), rows);
      if (update != nullptr) {
        const Update part = {update->a, update->b + first * update->rank, update->rank, update->scale};
        multiplier.add(&part, x.as<float>(), logits.as<float>(), rows, d, count);
      }
      copy(host.as<float>(), logits.as<const float>(), rows * count, stream);
      wait(stream);
      read(host.as<float>(), count, static_cast<int32_t>(first));
    }
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
