#include "core/team.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace deltascope {
namespace {

thread_local Team* current_team = nullptr;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Looks until it holds, or for about as long as waking a sleeping thread would take; whether it holds.
template <typename Holds>
bool watch(const Holds& holds) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kAwake = std::chrono::microseconds(200);
  const auto begin = Clock::now();
  do {
    for (int i = 0; i < 64; ++i) {
      if (holds()) return true;
      pause();
    }
  } while (Clock::now() - begin < kAwake);
  return holds();
}

}  // namespace

Team* Team::current() { return current_team; }

Team::Use::Use(Team& team) : before_(current_team) { current_team = &team; }
Team::Use::~Use() { current_team = before_; }

Team::Team(int threads) {
  try {
    for (int i = 1; i < threads; ++i) others_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

Team::~Team() { stop(); }

void Team::stop() {
  ends_.store(true);
  piece_.fetch_add(1);
  piece_.notify_all();
  for (std::thread& other : others_) other.join();
}

/// Runs one part of a piece of work; false: none is left.
bool Team::take(uint32_t piece) {
  uint64_t left = left_.load(std::memory_order_acquire);
  do {
    if (left >> 32 != piece || (left & UINT32_MAX) == 0) return false;
  } while (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel));
  body_(of_, count_ - static_cast<int64_t>(left & UINT32_MAX));
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void Team::run(int64_t count, Body body, const void* of) {
  if (count == 0) return;
  const uint32_t piece = piece_.load(std::memory_order_relaxed) + 1;
  count_ = count, body_ = body, of_ = of;
  done_.store(0, std::memory_order_relaxed);
  left_.store(uint64_t{piece} << 32 | static_cast<uint64_t>(count), std::memory_order_release);
  piece_.store(piece, std::memory_order_release);
  piece_.notify_all();
  while (take(piece)) {
  }
  const auto all_done = [&] { return done_.load(std::memory_order_acquire) == count; };
  while (!watch(all_done)) std::this_thread::yield();
}

void Team::work() {
  uint32_t seen = 0;
  while (true) {
    const auto changed = [&] { return piece_.load(std::memory_order_acquire) != seen; };
    if (!watch(changed)) piece_.wait(seen, std::memory_order_acquire);
    seen = piece_.load(std::memory_order_acquire);
    if (ends_.load()) return;
    while (take(seen)) {
    }
  }
}

}  // namespace deltascope
