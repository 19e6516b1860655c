#include "models/head.h"

#include <algorithm>

#include "models/layer_weights.h"
#include "models/read_weights.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"

namespace deltascope {
namespace {

constexpr int64_t kVocabularyBlock = 4096;
constexpr int64_t kLensRows = 384;

}  // namespace

void unembed(const Model& model, const float* vectors, int64_t rows,
             const std::function<void(float* logits, int64_t count, int32_t first)>& read, Job& job) {
  const ModelSpec& spec = model.spec();
  const Checkpoint& checkpoint = model.checkpoint();
  const int64_t d = spec.d_model;
  checkpoint.require_unchanged();
  const std::vector<float> gamma = norm_factors(model, &model.final_norm());
  std::vector<float> normed(static_cast<size_t>(rows * d));
  rms_norm(vectors, d, gamma.data(), spec.norm_eps, normed.data(), d, rows, d);

  const TensorInfo& head = model.head();
  const int64_t block = std::min(kVocabularyBlock, spec.vocab_size);
  std::vector<float> weights(static_cast<size_t>(block * d)), logits(static_cast<size_t>(rows * block));
  for (int64_t first = 0; first < spec.vocab_size; first += block) {
    job.throw_if_cancelled();
    const int64_t count = std::min(block, spec.vocab_size - first);
    read_weights(checkpoint, head, first * d, count * d, weights.data());
    matmul(normed.data(), d, weights.data(), logits.data(), count, rows, d, count);
    read(logits.data(), count, static_cast<int32_t>(first));
  }
}

std::vector<LensReading> logit_lens(const Model& model, const float* vectors, int64_t rows, int64_t k,
                                    Job& job) {
  std::vector<LensReading> readings(static_cast<size_t>(rows));
  for (int64_t from = 0; from < rows; from += kLensRows) {
    const int64_t here = std::min(kLensRows, rows - from);
    std::vector<LogitReader> readers(static_cast<size_t>(here), LogitReader(k));
    const auto read = [&](const float* logits, int64_t count, int32_t first) {
#pragma omp parallel for schedule(static)
      for (int64_t row = 0; row < here; ++row)
        readers[static_cast<size_t>(row)].read(logits + row * count, count, first);
    };
    unembed(model, vectors + from * model.spec().d_model, here, read, job);
    for (int64_t row = 0; row < here; ++row) {
      const LogitReader& reader = readers[static_cast<size_t>(row)];
      readings[static_cast<size_t>(from + row)] = {reader.top(), reader.bottom()};
    }
    if (job.on_progress) job.on_progress(from + here, rows);
  }
  return readings;
}

}  // namespace deltascope
