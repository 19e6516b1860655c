#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "core/job.h"

namespace deltascope {

/// The jobs of one environment (the main thread or a worker thread) and their promises. They run away from
/// libuv's pool, on threads that all environments of the process share, so that two of them never take the
/// cores from each other; see docs/decisions/004-job-queue.md.
class JobQueue {
 public:
  /// Runs on a thread of the engine, must not touch JavaScript; what it returns runs on the JavaScript thread
  /// and makes the result.
  using Settle = std::function<Napi::Value(Napi::Env)>;
  using Work = std::function<Settle(Job&)>;

  /// What kind of work it is. The jobs of a lane run one at a time, first come first served, whichever
  /// environment they come from.
  enum class Lane { compute, open };

  JobQueue();
  ~JobQueue();

  /// Queues work. `job` is the caller's handle for cancelling; `progress`, if a function, is called with
  /// (done, total) on the JavaScript thread. `threads`: OpenMP's setting for this job. `tokens`, if a function, is called
  /// there with every (text, id) that the job tells of.
  Napi::Value submit(Napi::Env env, Lane lane, std::shared_ptr<Job> job, Napi::Value progress, int threads,
                     Work work, Napi::Value tokens = {});

  /// A waiting job is rejected at once, a running one when it looks the next time.
  void cancel(const std::shared_ptr<Job>& job);

  /// Whether a computation runs or waits anywhere in the process.
  bool computing() const;

  /// Drops what waits, cancels what runs and waits for its end; no promise is settled. Must come before the
  /// environment closes its thread-safe functions for good (as an environment cleanup hook): the destructor
  /// alone comes while one is held, and the running job may be waiting for it.
  void stop();

 private:
  struct Entry;
  class Worker;
  struct Workers;
  static std::shared_ptr<Workers> workers_of_process();

  std::shared_ptr<Workers> workers_;
};

/// The JavaScript error of an engine error: `message`, `code`, `details`.
Napi::Error to_javascript(Napi::Env env, const Error& error);

}  // namespace deltascope
