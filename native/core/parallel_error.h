#pragma once

#include <atomic>
#include <exception>

namespace deltascope {

/// Takes the first exception of an OpenMP region out of it: one that leaves the region itself ends the process, and any
/// allocation can throw.
///
///   ParallelError error;
///   #pragma omp parallel for
///   for (…) error.guard([&] { … });
///   error.rethrow();
///
/// `guard` may run on any number of threads; `rethrow` comes after the region.
class ParallelError {
 public:
  /// Runs `body`, unless something has failed already: what is left of the region then has no use.
  template <typename Body>
  void guard(const Body& body) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      body();
    } catch (...) {
      if (!failed_.exchange(true)) first_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::atomic<bool> failed_{false};
  std::exception_ptr first_;
};

}  // namespace deltascope
