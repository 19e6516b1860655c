#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "core/errors.h"

namespace deltascope {

/// How a long computation is watched and stopped. The flag may be touched from another thread.
struct Job {
  std::atomic<bool> cancelled{false};

  /// Called from the computing thread with work units done and in all. Must be cheap and must not throw.
  std::function<void(int64_t done, int64_t total)> on_progress;

  /// Called from the computing thread with a text of the batch and its next token. The same holds.
  std::function<void(int64_t text, int32_t id)> on_token;

  void throw_if_cancelled() const {
    if (cancelled.load(std::memory_order_relaxed))
      throw Error(Code::cancelled, "the computation was cancelled");
  }
};

}  // namespace deltascope
