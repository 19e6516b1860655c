#include "cuda/unembedding.h"

#include <algorithm>
#include <cmath>

#include "cuda/block_steps.h"
#include "cuda/kernels.h"

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kWeightRows = 4096;                // of the vocabulary in one product
constexpr int64_t kMostRows = 4096;                  // of vectors at once
constexpr int64_t kReadingBytes = int64_t{1} << 30;  // of what a reading holds on the device at once, weights apart

/// How many of something that takes so many bytes each are read at once.
int64_t together(int64_t bytes_each) { return std::clamp<int64_t>(kReadingBytes / bytes_each, 1, kMostRows); }

template <typename T>
std::vector<T> to_host(const T* from, int64_t count, cudaStream_t stream) {
  std::vector<T> values(static_cast<size_t>(count));
  copy(values.data(), from, count, stream);
  return values;
}

}  // namespace

/// Vectors of a model on the device, and what is computed from them.
class CudaUnembedding::Rows {
 public:
  Rows(const CudaUnembedding& own, Job& job)
      : machine_(*own.machine_),
        model_(own.model_),
        head_(own.head(job)),
        job_(job),
        multiplier_(machine_, slots_, false),
        stage_(machine_) {}

  /// Takes vectors over, and puts them through the final norm.
  void put(const float* vectors, int64_t rows) {
    const int64_t d = model_.spec().d_model;
    rows_ = rows;
    float* x = x_.hold<float>(rows * d);
    copy(x, vectors, rows * d, machine_.stream());
    head_.norm(x, x, rows);
  }

  /// visit(first, count, product): product(y, y_stride) computes the logits of `count` ids from `first` on, to be called once.
  template <typename Visit>
  void visit(const Visit& visit) {
    head_.visit(kWeightRows, stage_, job_, [&](const Matrix& weights, int64_t first) {
      job_.throw_if_cancelled();
      visit(first, weights.out, [&](float* y, int64_t stride) { multiplier_.multiply(weights, x_.as<void>(), y, rows_, stride); });
    });
  }

  /// y [rows, count], dense: += what the adapter adds to the logits of `count` ids from `first` on.
  void add_update(float* y, int64_t first, int64_t count) {
    const Update* update = head_.update();
    if (update == nullptr) return;
    const Update part = {update->a, update->b + first * update->rank, update->rank, update->scale};
    multiplier_.add(&part, x_.as<float>(), y, rows_, model_.spec().d_model, count);
  }

  /// All logits, [rows, vocabulary]. caps: the final soft cap is applied.
  const float* logits(bool caps) {
    const int64_t vocabulary = model_.spec().vocab_size;
    float* all = logits_.hold<float>(rows_ * vocabulary);
    visit([&](int64_t first, int64_t, const auto& product) { product(all + first, vocabulary); });
    add_update(all, 0, vocabulary);
    const float cap = model_.spec().logit_softcap;
    if (caps && cap > 0) soft_cap(all, rows_ * vocabulary, cap, machine_.stream());
    return all;
  }

  const RowSum* sums(const float* x, float sign) {
    const int64_t width = model_.spec().vocab_size;
    RowSum* parts = sum_parts_.hold<RowSum>(rows_ * logit_pieces(width));
    RowSum* sums = sums_[sign < 0].hold<RowSum>(rows_);
    log_sums(x, sign, rows_, width, parts, sums, machine_.stream());
    return sums;
  }

  cudaStream_t stream() const { return machine_.stream(); }

 private:
  Machine& machine_;
  const Model& model_;
  const Head& head_;
  Job& job_;
  Slots slots_;
  Multiplier multiplier_;
  Stage stage_;
  int64_t rows_ = 0;
  DeviceBytes x_, logits_, sum_parts_, sums_[2];
};

/// The first k values of rows, from the largest down, or the smallest up.
struct CudaUnembedding::Ranked {
  DeviceBytes places, parts, ids, counts;

  static int64_t bytes_of_row(int64_t width, int64_t k) {
    return k * static_cast<int64_t>(sizeof(RankedId)) + search_parts(1, width) * static_cast<int64_t>(sizeof(uint64_t));
  }

  /// [rows, k] in the order of ids; [rows].
  void find(const float* values, int64_t rows, int64_t width, float sign, int64_t k, cudaStream_t stream) {
    Search job{values, rows, width, sign, {}, {Goal::Kind::rank, k}, nullptr, nullptr};
    job.places = places.hold<Place>(rows);
    job.parts = parts.hold<uint64_t>(search_parts(rows, width));
    search(job, stream);
    gather_until(values, rows, width, sign, job.places, k, ids.hold<RankedId>(rows * k), counts.hold<int32_t>(rows),
                 stream);
  }

  /// The same on the host, sorted.
  std::vector<std::vector<RankedId>> read(int64_t rows, int64_t k, cudaStream_t stream) const {
    const auto all = to_host<RankedId>(ids.as<RankedId>(), rows * k, stream);
    const auto count = to_host<int32_t>(counts.as<int32_t>(), rows, stream);
    wait(stream);
    std::vector<std::vector<RankedId>> lists;
    for (int64_t row = 0; row < rows; ++row) {
      auto& list = lists.emplace_back(all.begin() + row * k, all.begin() + row * k + count[static_cast<size_t>(row)]);
      std::sort(list.begin(), list.end(),
                [](const RankedId& a, const RankedId& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; });
    }
    return lists;
  }
};

const Head& CudaUnembedding::head(const Job& job) const {
  const std::lock_guard lock(mutex_);
  model_.require_unchanged();
  if (!head_) {
    auto head = std::make_unique<Head>(machine_, model_);
    head->keep(kept_room(), job);
    head_ = std::move(head);  // others may be using it from now on
  }
  return *head_;
}

int64_t CudaUnembedding::rows_together() const { return together(model_.spec().vocab_size * kFloat); }

void CudaUnembedding::logits(const float* vectors, int64_t rows, const LogitBlockReader& read, Job& job) const {
  Rows work(*this, job);
  work.put(vectors, rows);
  DeviceBytes block;
  PinnedBytes host;
  const int64_t most = rows * std::min(kWeightRows, model_.spec().vocab_size);
  float* there = block.hold<float>(most);
  host.reserve(most * kFloat);
  work.visit([&](int64_t first, int64_t count, const auto& product) {
    product(there, count);
    work.add_update(there, first, count);
    copy(host.as<float>(), static_cast<const float*>(there), rows * count, work.stream());
    wait(work.stream());
    read(host.as<float>(), count, static_cast<int32_t>(first));
  });
}

std::vector<LensReading> CudaUnembedding::lens(const float* vectors, int64_t rows, int64_t k, Job& job) const {
  const int64_t width = model_.spec().vocab_size;
  const int64_t most = together(width * kFloat + 2 * Ranked::bytes_of_row(width, k));
  Rows work(*this, job);
  Ranked ends[2];
  std::vector<LensReading> readings;
  for (int64_t from = 0; from < rows; from += most) {
    const int64_t here = std::min(most, rows - from);
    work.put(vectors + from * model_.spec().d_model, here);
    const float* logits = work.logits(false);
    const size_t begin = readings.size();
    readings.resize(begin + static_cast<size_t>(here));
    for (const float sign : {1.0f, -1.0f}) {
      Ranked& end = ends[sign < 0];
      end.find(logits, here, width, sign, k, work.stream());
      const auto sums = to_host<RowSum>(work.sums(logits, sign), here, work.stream());
      const auto lists = end.read(here, k, work.stream());
      for (size_t row = 0; row < lists.size(); ++row) {
        auto& to = sign > 0 ? readings[begin + row].top : readings[begin + row].bottom;
        for (const RankedId& one : lists[row]) {
          const double probability = std::exp(static_cast<double>(one.logit) - sums[row].highest) / sums[row].sum;
          to.emplace_back(RankedId{one.id, sign * one.logit}, probability);
        }
      }
    }
  }
  return readings;
}

std::vector<double> CudaUnembedding::losses(const float* vectors, int64_t rows, std::span<const int32_t> first,
                                            std::span<const int32_t> ids, Job& job) const {
  const int64_t width = model_.spec().vocab_size, most = rows_together();
  Rows work(*this, job);
  std::vector<int32_t> row_of;  // by id: its row among those at work
  DeviceBytes rows_there, ids_there, values_there;
  std::vector<double> losses(ids.size());
  for (int64_t from = 0; from < rows; from += most) {
    const int64_t here = std::min(most, rows - from);
    const int64_t begin = first[static_cast<size_t>(from)], own = first[static_cast<size_t>(from + here)] - begin;
    row_of.clear();
    for (int64_t row = from; row < from + here; ++row)
      row_of.resize(static_cast<size_t>(first[static_cast<size_t>(row) + 1] - begin), static_cast<int32_t>(row - from));
    work.put(vectors + from * model_.spec().d_model, here);
    const float* logits = work.logits(true);
    copy(rows_there.hold<int32_t>(own), static_cast<const int32_t*>(row_of.data()), own, work.stream());
    copy(ids_there.hold<int32_t>(own), ids.data() + begin, own, work.stream());
    gather_values(logits, width, rows_there.as<int32_t>(), ids_there.as<int32_t>(), values_there.hold<float>(own), own,
                  work.stream());
    const auto sums = to_host<RowSum>(work.sums(logits, 1), here, work.stream());
    const auto values = to_host<float>(values_there.as<float>(), own, work.stream());
    wait(work.stream());
    for (int64_t i = 0; i < own; ++i) {
      const RowSum& sum = sums[static_cast<size_t>(row_of[static_cast<size_t>(i)])];
      losses[static_cast<size_t>(begin + i)] = sum.highest + std::log(sum.sum) - static_cast<double>(values[static_cast<size_t>(i)]);
    }
  }
  return losses;
}

std::vector<std::vector<LikelyToken>> CudaUnembedding::averages(const float* vectors, int64_t lists, const Averaging& how,
                                                                Job& job) const {
  const int64_t width = model_.spec().vocab_size, prompts = how.prompts;
  const bool intersects = how.intersection > 0 && how.intersection < width;
  const int64_t row_bytes = width * kFloat + (intersects ? Ranked::bytes_of_row(width, how.intersection) : 0);
  const int64_t most = together(prompts * row_bytes + 2 * width * kFloat + Ranked::bytes_of_row(width, how.k));
  Rows work(*this, job);
  Ranked firsts, best;
  DeviceBytes members, means;
  std::vector<std::vector<LikelyToken>> result;
  for (int64_t from = 0; from < lists; from += most) {
    const int64_t here = std::min(most, lists - from), rows = here * prompts;
    work.put(vectors + from * prompts * model_.spec().d_model, rows);
    const float* logits = work.logits(true);
    if (intersects) {
      firsts.find(logits, rows, width, 1, how.intersection, work.stream());
      count_members(firsts.ids.as<RankedId>(), firsts.counts.as<int32_t>(), here, prompts, how.intersection, width,
                    members.hold<int32_t>(here * width), work.stream());
    }
    const AverageJob average = {logits, work.sums(logits, 1), intersects ? members.as<int32_t>() : nullptr,
                                means.hold<float>(here * width), here, prompts, width, how.compat};
    add_probabilities(average, work.stream());
    best.find(average.out, here, width, 1, how.k, work.stream());
    for (const auto& list : best.read(here, how.k, work.stream())) {
      auto& to = result.emplace_back();
      for (const RankedId& one : list) to.push_back({one.id, static_cast<double>(one.logit) / static_cast<double>(prompts)});
    }
  }
  return result;
}

}  // namespace deltascope::cuda
