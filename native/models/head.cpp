#include "models/head.h"

#include <algorithm>

#include "core/parallel_error.h"
#include "models/layer_weights.h"
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"

namespace deltascope {
namespace {

constexpr int64_t kVocabularyBlock = 4096;
static_assert(kVocabularyBlock % PackedMatrix::kPanel == 0);  // a block's part of an update is whole panels
constexpr int64_t kLensRows = 384;

}  // namespace

std::vector<float> final_norm(const Model& model, std::span<const float> vectors, int64_t rows) {
  const ModelSpec& spec = model.spec();
  const int64_t d = spec.d_model;
  int64_t ignored = 0;
  const NormValues norm = read_norm(model.final_norm(), spec.norm_plus_one, ignored);
  std::vector<float> normed(static_cast<size_t>(rows * d));
  if (spec.norm == Norm::rms) {
    rms_norm(vectors.data(), d, norm.gamma.data(), spec.norm_eps, normed.data(), d, rows, d);
  } else {
    layer_norm(vectors.data(), d, norm.gamma.data(), norm.beta.data(), spec.norm_eps, normed.data(), d, rows, d);
  }
  return normed;
}

void unembed(const Model& model, const float* vectors, int64_t rows,
             const std::function<void(float* logits, int64_t count, int32_t first)>& read, Job& job) {
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

std::vector<LensReading> logit_lens(const Model& model, const float* vectors, int64_t rows, int64_t k,
                                    Job& job) {
  std::vector<LensReading> readings(static_cast<size_t>(rows));
  for (int64_t from = 0; from < rows; from += kLensRows) {
    const int64_t here = std::min(kLensRows, rows - from);
    std::vector<LogitReader> readers(static_cast<size_t>(here), LogitReader(k));
    const auto read = [&](const float* logits, int64_t count, int32_t first) {
      ParallelError error;
#pragma omp parallel for schedule(static)
      for (int64_t row = 0; row < here; ++row)
        error.guard([&] { readers[static_cast<size_t>(row)].read(logits + row * count, count, first); });
      error.rethrow();
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
