#include "models/head.h"

#include <algorithm>
#include <iterator>

#include "models/apply_norm.h"
#include "models/layer_weights.h"

namespace deltascope {
std::vector<float> final_norm(const Model& model, std::span<const float> vectors, int64_t rows) {
  const ModelSpec& spec = model.spec();
  const int64_t d = spec.d_model;
  int64_t ignored = 0;
  const NormValues norm = read_norm(model.final_norm(), spec.norm_plus_one, ignored);
  std::vector<float> normed(static_cast<size_t>(rows * d));
  apply_norm(spec, norm, vectors.data(), normed.data(), rows, d);
  return normed;
}

void unembed(const Model& model, const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) {
  model.unembedding().logits(vectors, rows, read, job);
}

std::vector<LensReading> logit_lens(const Model& model, const float* vectors, int64_t rows, int64_t k,
                                    Job& job) {
  std::vector<LensReading> readings;
  const int64_t together = model.unembedding().rows_together();
  for (int64_t from = 0; from < rows; from += together) {
    const int64_t here = std::min(together, rows - from);
    auto read = model.unembedding().lens(vectors + from * model.spec().d_model, here, k, job);
    std::move(read.begin(), read.end(), std::back_inserter(readings));
    if (job.on_progress) job.on_progress(from + here, rows);
  }
  return readings;
}

}  // namespace deltascope
