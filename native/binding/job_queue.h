#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/job.h"

namespace deltascope {

/// Runs computations one after another on a thread of its own, away from libuv's pool, and settles a promise
/// for each. One at a time: a computation uses all the threads it was given, so two at once would only take
/// turns on the cores. Owned by the addon's instance, one per environment; the destructor cancels what is
/// left and joins.
class JobQueue {
 public:
  /// Runs on the worker thread, must not touch JavaScript; what it returns runs on the JavaScript thread and
  /// makes the result.
  using Settle = std::function<Napi::Value(Napi::Env)>;
  using Work = std::function<Settle(Job&)>;

  JobQueue();
  ~JobQueue();

  /// Cancels what is left and joins. Must run before the environment closes its thread-safe functions for
  /// good (an environment cleanup hook): the destructor alone comes while one is held, and the worker may be
  /// waiting for it.
  void stop();

  /// Queues work. `job` is the caller's handle for cancelling; `progress`, if a function, is called with
  /// (done, total) on the JavaScript thread. `threads`: OpenMP's setting for this job.
  Napi::Value submit(Napi::Env env, std::shared_ptr<Job> job, Napi::Value progress, int threads, Work work);

 private:
  struct Entry;
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Entry>> waiting_;
  std::shared_ptr<Job> running_;
  bool stopping_ = false;
  /// Jobs that could not be settled because the environment is going down. They hold references into
  /// JavaScript, which must be dropped on its thread: by the destructor, after the join.
  std::vector<std::shared_ptr<Entry>> abandoned_;
  std::thread worker_;
};

/// The JavaScript error of an engine error: `message`, `code`, `details`.
Napi::Error to_javascript(Napi::Env env, const Error& error);

}  // namespace deltascope
