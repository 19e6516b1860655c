#include "ops/tree_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/simd.h"
#include "core/team.h"
#include "ops/vector_math.h"

namespace deltascope {
namespace {

/// One head of one row. path: [length] node indices from the root side down. scores: [length], scratch.
DELTASCOPE_SIMD void attend(const float* q, const float* k, const float* v, float* out, const int32_t* path,
                            int64_t length, int64_t kv_stride, int64_t head_dim, float scale, float softcap,
                            float* scores) {
  float highest = -INFINITY;
  for (int64_t t = 0; t < length; ++t) {
    const float* key = k + path[t] * kv_stride;
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < head_dim; ++i) dot += q[i] * key[i];
    scores[t] = softcap > 0 ? softcap * std::tanh(dot * scale / softcap) : dot * scale;
    highest = scores[t] > highest ? scores[t] : highest;
  }
#pragma omp simd
  for (int64_t t = 0; t < length; ++t) scores[t] = fast_exp(scores[t] - highest);
  float sum = 0;
  for (int64_t t = 0; t < length; ++t) sum += scores[t];
#pragma omp simd
  for (int64_t i = 0; i < head_dim; ++i) out[i] = 0;
  for (int64_t t = 0; t < length; ++t) {
    const float* value = v + path[t] * kv_stride;
    const float weight = scores[t] / sum;
#pragma omp simd
    for (int64_t i = 0; i < head_dim; ++i) out[i] += weight * value[i];
  }
}

}  // namespace

void tree_attention(const float* q, const float* k, const float* v, float* out,
                    std::span<const int32_t> parents, int64_t first, int64_t rows,
                    const AttentionShape& shape, const Job& job) {
  const int64_t width = shape.heads * shape.head_dim, kv_width = shape.kv_heads * shape.head_dim;
  const int64_t group = shape.heads / shape.kv_heads;
  // Few rows are shared out by their heads.
  const int64_t parts =
      std::min(shape.heads, std::max<int64_t>(1, parallel_threads() / std::max<int64_t>(rows, 1)));
  parallel_ranges(rows * parts, 0, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> path;
    std::vector<float> scores, result(static_cast<size_t>(shape.head_dim));
    for (int64_t task = begin; task < end; ++task) {
      if (job.cancelled.load(std::memory_order_relaxed)) return;
      const int64_t row = task / parts, part = task % parts;
      path.clear();
      for (auto node = static_cast<int32_t>(first + row); node >= 0;
           node = parents[static_cast<size_t>(node)]) {
        path.push_back(node);
        if (shape.window > 0 && static_cast<int64_t>(path.size()) == shape.window) break;
      }
      std::reverse(path.begin(), path.end());
      scores.resize(path.size());
      for (int64_t head = shape.heads * part / parts; head < shape.heads * (part + 1) / parts; ++head) {
        const int64_t kv = head / group * shape.head_dim;
        const int64_t at = row * width + head * shape.head_dim;
        attend(q + at, k + kv, v + kv, result.data(), path.data(), static_cast<int64_t>(path.size()),
               kv_width, shape.head_dim, shape.scale, shape.softcap, scores.data());
        std::copy(result.begin(), result.end(), out + at);
      }
    }
  });
  job.throw_if_cancelled();
}

}  // namespace deltascope
