#include "models/backend.h"

#include "core/errors.h"
#include "host/text_blocks.h"
#include "host/tree_blocks.h"
#include "host/unembedding.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

class HostBackend final : public Backend {
 public:
  const Device& device() const override { return device_; }

  std::unique_ptr<TreeBlocks> tree_blocks(std::vector<const Model*> models) const override {
    return std::make_unique<HostTreeBlocks>(std::move(models));
  }

  std::unique_ptr<TextBlocks> text_blocks(const Model& model, int64_t weights_budget) const override {
    return std::make_unique<HostTextBlocks>(model, weights_budget);
  }

  int64_t text_budget(int64_t asked) const override { return asked; }

  std::unique_ptr<Unembedding> unembedding(const Model& model) const override {
    return std::make_unique<HostUnembedding>(model);
  }

 private:
  const Device device_ = {"cpu", matmul_backend()};
};

}  // namespace

std::shared_ptr<const Backend> host_backend() {
  static const std::shared_ptr<const Backend> backend = std::make_shared<HostBackend>();
  return backend;
}

std::shared_ptr<const Backend> open_backend(const std::string& device) {
  if (device == "cpu") return host_backend();
  if (device == "cuda") return cuda_backend();
  try {
    return cuda_backend();
  } catch (const Error& error) {
    if (error.code() != Code::device_unavailable) throw;
    return host_backend();
  }
}

}  // namespace deltascope
