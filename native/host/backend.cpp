#include "models/backend.h"

#include <algorithm>

#include "core/errors.h"
#include "host/text_blocks.h"
#include "host/tree_blocks.h"
#include "models/head.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

constexpr int64_t kVocabularyBlock = 4096;
static_assert(kVocabularyBlock % PackedMatrix::kPanel == 0);  // a block's part of an update is whole panels

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

  int64_t unembed_rows() const override { return 384; }

void unembed(const Model& model, const float* vectors, int64_t rows, const LogitBlockReader& read,
               Job& job) const override {
    const ModelSpec& spec = model.spec();
    const int64_t d = spec.d_model;
    model.require_unchanged();
    const std::vector<float> normed = final_norm(model, {vectors, static_cast<size_t>(rows * d)}, rows);
    const LowRank* update = model.adapter() == nullptr ? nullptr : model.adapter()->head();
    const int64_t block = std::min(kVocabularyBlock, spec.vocab_size);
    std::vector<float> inner(update == nullptr ? 0 : static_cast<size_t>(rows * update->rank)),
        outer(update == nullptr ? 0 : static_cast<size_t>(rows * block));
    if (update != nullptr) matmul(normed.data(), d, update->a, inner.data(), update->rank, rows, job);
    PackedMatrix weights;
    std::vector<float> logits(static_cast<size_t>(rows * block));
    for (int64_t first = 0; first < spec.vocab_size; first += block) {
      const int64_t count = std::min(block, spec.vocab_size - first);
      read_linear({model.head(), {}, first}, count, d, false, Precision::float32, weights);
      matmul(normed.data(), d, weights, logits.data(), count, rows, job);
      if (update != nullptr) {
        matmul(inner.data(), update->rank, update->b.outputs(first, count), outer.data(), count, rows, job);
        add_scaled(logits.data(), count, outer.data(), count, update->scale, rows, count);
      }
      read(logits.data(), count, static_cast<int32_t>(first));
    }
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
