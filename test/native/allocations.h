#pragma once

#include <cstdint>

// The memory that this program takes with operator new, on all threads: counted, and refused on demand. Only
// in memory_tests: there operator new is replaced.
namespace deltascope::test {

/// Bytes that are taken now.
int64_t live_bytes();

/// The most bytes taken at once during a call, beyond those taken before it.
class PeakBytes {
 public:
  PeakBytes();
  int64_t get() const;

 private:
  int64_t before_;
};

/// While it lives, operator new fails: once, for the allocation after the next `after`, or for that one and
/// all later ones.
class FailingMemory {
 public:
  enum class Mode { once, from_then_on };
  FailingMemory(int64_t after, Mode mode);
  ~FailingMemory();
  /// Whether an allocation has failed.
  bool has_failed() const;
};

}  // namespace deltascope::test
