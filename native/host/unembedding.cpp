#include "host/unembedding.h"

#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "core/parallel_error.h"
#include "models/head.h"
#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/log_sum.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

constexpr int64_t kVocabularyBlock = 4096;
static_assert(kVocabularyBlock % PackedMatrix::kPanel == 0);  // a block's part of an update is whole panels
constexpr int64_t kLogitBytes = int64_t{128} << 20;           // of the rows whose whole logits are held at once

/// The first `count` ids of a row by logit, equal ones by id, counted in `member`.
void mark_first(const float* logits, int64_t vocabulary, int64_t count, std::vector<float>& scratch,
                std::vector<int32_t>& member) {
  scratch.assign(logits, logits + vocabulary);
  std::nth_element(scratch.begin(), scratch.begin() + (count - 1), scratch.end(), std::greater<>());
  const float least = scratch[static_cast<size_t>(count - 1)];
  int64_t equal = count - std::count_if(scratch.begin(), scratch.begin() + count, [&](float x) { return x > least; });
  for (int64_t id = 0; id < vocabulary; ++id) {
    member[static_cast<size_t>(id)] += logits[id] > least || (logits[id] == least && equal-- > 0);
  }
}

/// One (vector, scale): the logits of all its prompts, [prompts, vocabulary], become its list. They are overwritten.
std::vector<LikelyToken> combine(float* logits, int64_t prompts, int64_t vocabulary, const Averaging& how) {
  std::vector<int32_t> member(static_cast<size_t>(vocabulary));
  std::vector<float> scratch;
  if (how.intersection > 0 && how.intersection < vocabulary) {
    for (int64_t p = 0; p < prompts; ++p)
      mark_first(logits + p * vocabulary, vocabulary, how.intersection, scratch, member);
  } else {
    member.assign(member.size(), static_cast<int32_t>(prompts));
  }
  scratch.assign(static_cast<size_t>(vocabulary), 0.0f);
  for (int64_t p = 0; p < prompts; ++p) {
    float* row = logits + p * vocabulary;
    LogSum total;
    total.add(row, vocabulary);
    exponentials(row, total.value(), row, vocabulary);
    if (how.compat) std::transform(row, row + vocabulary, row, [](float x) { return round_to_bf16(x); });
    for (int64_t id = 0; id < vocabulary; ++id) scratch[static_cast<size_t>(id)] += row[id];
  }
  std::vector<LikelyToken> list;
  for (int64_t id = 0; id < vocabulary; ++id) {
    const float sum = scratch[static_cast<size_t>(id)];
    if (member[static_cast<size_t>(id)] == prompts && sum > 0)
      list.push_back({static_cast<int32_t>(id), static_cast<double>(sum) / static_cast<double>(prompts)});
  }
  const auto kept = std::min(list.size(), static_cast<size_t>(how.k));
  std::partial_sort(list.begin(), list.begin() + static_cast<int64_t>(kept), list.end(), [](const auto& a, const auto& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  list.resize(kept);
  return list;
}

}  // namespace

void HostUnembedding::logits(const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) const {
  const ModelSpec& spec = model_.spec();
  const int64_t d = spec.d_model;
  model_.require_unchanged();
  const std::vector<float> normed = final_norm(model_, {vectors, static_cast<size_t>(rows * d)}, rows);
  const LowRank* update = model_.adapter() == nullptr ? nullptr : model_.adapter()->head();
  const int64_t block = std::min(kVocabularyBlock, spec.vocab_size);
  std::vector<float> inner(update == nullptr ? 0 : static_cast<size_t>(rows * update->rank)),
      outer(update == nullptr ? 0 : static_cast<size_t>(rows * block));
  if (update != nullptr) matmul(normed.data(), d, update->a, inner.data(), update->rank, rows, job);
  PackedMatrix weights;
  std::vector<float> logits(static_cast<size_t>(rows * block));
  for (int64_t first = 0; first < spec.vocab_size; first += block) {
    const int64_t count = std::min(block, spec.vocab_size - first);
    read_linear({model_.head(), {}, first}, count, d, false, Precision::float32, weights);
    matmul(normed.data(), d, weights, logits.data(), count, rows, job);
    if (update != nullptr) {
      matmul(inner.data(), update->rank, update->b.outputs(first, count), outer.data(), count, rows, job);
      add_scaled(logits.data(), count, outer.data(), count, update->scale, rows, count);
    }
    read(logits.data(), count, static_cast<int32_t>(first));
  }
}

std::vector<LensReading> HostUnembedding::lens(const float* vectors, int64_t rows, int64_t k, Job& job) const {
  std::vector<LogitReader> readers(static_cast<size_t>(rows), LogitReader(k));
  const auto read = [&](const float* block, int64_t count, int32_t first) {
    ParallelError error;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row)
      error.guard([&] { readers[static_cast<size_t>(row)].read(block + row * count, count, first); });
    error.rethrow();
  };
  logits(vectors, rows, read, job);
  std::vector<LensReading> readings;
  for (const LogitReader& reader : readers) readings.push_back({reader.top(), reader.bottom()});
  return readings;
}

std::vector<double> HostUnembedding::losses(const float* vectors, int64_t rows, std::span<const int32_t> first,
                                            std::span<const int32_t> ids, Job& job) const {
  std::vector<LogSum> sums(static_cast<size_t>(rows));
  std::vector<double> losses(ids.size());
  const float cap = model_.spec().logit_softcap;
  /// body(number of an id) for those after a row.
  const auto for_each_id = [&](int64_t row, const auto& body) {
    for (int32_t i = first[static_cast<size_t>(row)]; i < first[static_cast<size_t>(row) + 1]; ++i) body(static_cast<size_t>(i));
  };
  const auto read = [&](float* block, int64_t count, int32_t first_id) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      float* own = block + row * count;
      if (cap > 0) soft_cap(own, count, cap);
      sums[static_cast<size_t>(row)].add(own, count);
      for_each_id(row, [&](size_t i) {
        const int64_t id = ids[i] - first_id;
        if (id >= 0 && id < count) losses[i] = own[id];
      });
    }
  };
  logits(vectors, rows, read, job);
  for (int64_t row = 0; row < rows; ++row) {
    const double total = sums[static_cast<size_t>(row)].value();
    for_each_id(row, [&](size_t i) { losses[i] = total - losses[i]; });
  }
  return losses;
}

std::vector<std::vector<LikelyToken>> HostUnembedding::averages(const float* vectors, int64_t lists, const Averaging& how,
                                                                Job& job) const {
  const ModelSpec& spec = model_.spec();
  const int64_t vocabulary = spec.vocab_size;
  const int64_t together =
      std::max<int64_t>(1, kLogitBytes / (how.prompts * vocabulary * static_cast<int64_t>(sizeof(float))));
  std::vector<std::vector<LikelyToken>> result(static_cast<size_t>(lists));
  std::vector<float> whole;
  for (int64_t from = 0; from < lists; from += together) {
    const int64_t here = std::min(together, lists - from), count = here * how.prompts;
    whole.resize(static_cast<size_t>(count * vocabulary));
    const auto read = [&](float* block, int64_t width, int32_t first) {
      if (spec.logit_softcap > 0) soft_cap(block, count * width, spec.logit_softcap);
      for (int64_t row = 0; row < count; ++row)
        std::copy_n(block + row * width, width, whole.data() + row * vocabulary + first);
    };
    logits(vectors + from * how.prompts * spec.d_model, count, read, job);
    ParallelError error;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < here; ++i) {
      if (job.cancelled.load(std::memory_order_relaxed)) continue;
      error.guard([&] {
        result[static_cast<size_t>(from + i)] = combine(whole.data() + i * how.prompts * vocabulary, how.prompts, vocabulary, how);
      });
    }
    error.rethrow();
    job.throw_if_cancelled();
  }
  return result;
}

}  // namespace deltascope
