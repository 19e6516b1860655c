#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/parallel_error.h"

namespace deltascope {

/// Threads that stay awake for a moment between two pieces of work, for what comes as hundreds of short pieces one after the
/// other. A decoded token is some 200 products of a tenth of a millisecond; OpenMP's threads go to sleep after each, and
/// waking them takes as long as the product itself.
///
/// One thread at a time gives the work, and takes part in it. No call waits for a thread that has not begun: on a machine
/// with other things to do the giver does all itself.
class Team {
 public:
  /// `threads` in all, the giver among them. Throws std::system_error where no thread can be made.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return static_cast<int>(others_.size()) + 1; }

  /// body(i) for every i in [0, count), in any order on any thread; back when all have run. body must not throw.
  template <typename Body>
  void for_each(int64_t count, const Body& body) {
    run(count, [](const void* of, int64_t i) { (*static_cast<const Body*>(of))(i); }, &body);
  }

  /// The team that this thread's `parallel_ranges` uses; null: OpenMP's threads.
  static Team* current();

  /// Makes a team the current one of this thread for as long as it lives.
  class Use {
   public:
    explicit Use(Team& team);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Team* before_;
  };

 private:
  using Body = void (*)(const void* of, int64_t i);

  void stop();
  void run(int64_t count, Body body, const void* of);
  bool take(uint32_t piece);
  void work();

  // The number of the piece of work in the upper half, what nobody has taken of it yet in the lower.
  alignas(64) std::atomic<uint64_t> left_{0};
  alignas(64) std::atomic<int64_t> done_{0};
  // Of the piece at work; only who has taken a part of it may read them.
  alignas(64) int64_t count_ = 0;
  Body body_ = nullptr;
  const void* of_ = nullptr;
  std::atomic<uint32_t> piece_{0};  // what sleeping threads wait for
  std::atomic<bool> ends_{false};
  std::vector<std::thread> others_;
};

/// Threads that `parallel_ranges` has.
inline int64_t parallel_threads() {
  const Team* team = Team::current();
  return team != nullptr ? team->threads() : omp_get_max_threads();
}

/// body(begin, end) for ranges that together are [0, count), in any order, on the current team or else OpenMP's threads; throws
/// the first exception of a body. size: of a range; 0: a few for every thread.
template <typename Body>
void parallel_ranges(int64_t count, int64_t size, const Body& body) {
  if (count <= 0) return;
  if (size == 0) size = (count + 4 * parallel_threads() - 1) / (4 * parallel_threads());
  if (size >= count) return body(int64_t{0}, count);
  ParallelError error;
  const auto range = [&](int64_t i) {
    error.guard([&] { body(i * size, std::min(count, (i + 1) * size)); });
  };
  const int64_t ranges = (count + size - 1) / size;
  if (Team* team = Team::current()) {
    team->for_each(ranges, range);
  } else {
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < ranges; ++i) range(i);
  }
  error.rethrow();
}

/// body(i) for every i in [0, count), by `parallel_ranges`.
template <typename Body>
void parallel_for(int64_t count, const Body& body) {
  parallel_ranges(count, 0, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace deltascope
