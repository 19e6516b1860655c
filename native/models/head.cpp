#include "models/head.h"

#include <algorithm>

#include "core/parallel_error.h"
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
  model.backend().unembed(model, vectors, rows, read, job);
}

std::vector<LensReading> logit_lens(const Model& model, const float* vectors, int64_t rows, int64_t k,
                                    Job& job) {
  std::vector<LensReading> readings(static_cast<size_t>(rows));
  const int64_t together = model.backend().unembed_rows();
  for (int64_t from = 0; from < rows; from += together) {
    const int64_t here = std::min(together, rows - from);
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
