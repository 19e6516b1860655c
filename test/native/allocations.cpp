#include "allocations.h"

#ifdef __APPLE__
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> live{0}, peak{0};
std::atomic<int64_t> allowed{INT64_MAX};  // allocations until one fails
std::atomic<bool> stays_failing{false}, failed{false};

int64_t size_of_block(void* block) {
#ifdef __APPLE__
  return static_cast<int64_t>(malloc_size(block));
#else
  return static_cast<int64_t>(malloc_usable_size(block));
#endif
}

bool must_fail() {
  if (allowed.load(std::memory_order_relaxed) == INT64_MAX) return false;
  const int64_t left = allowed.fetch_sub(1);
  const bool now = left == 0 || (left < 0 && stays_failing);
  if (now) failed = true;
  return now;
}

}  // namespace

void* operator new(size_t bytes) {
  void* block = must_fail() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw std::bad_alloc();
  const int64_t now = live.fetch_add(size_of_block(block)) + size_of_block(block);
  int64_t highest = peak.load(std::memory_order_relaxed);
  while (now > highest && !peak.compare_exchange_weak(highest, now)) {
  }
  return block;
}

// The other forms of new and delete come to these two.
void operator delete(void* block) noexcept {
  if (block != nullptr) live -= size_of_block(block);
  std::free(block);
}

void operator delete(void* block, size_t) noexcept { operator delete(block); }

namespace deltascope::test {

int64_t live_bytes() { return live; }

PeakBytes::PeakBytes() : before_(live) { peak = before_; }
int64_t PeakBytes::get() const { return peak - before_; }

FailingMemory::FailingMemory(int64_t after, Mode mode) {
  failed = false;
  stays_failing = mode == Mode::from_then_on;
  allowed = after;
}
FailingMemory::~FailingMemory() { allowed = INT64_MAX; }
bool FailingMemory::has_failed() const { return failed; }

}  // namespace deltascope::test
