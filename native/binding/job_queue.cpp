#include "binding/job_queue.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace deltascope {
namespace {

/// Something to do on the JavaScript thread. Without an environment there is nothing left to do it in: what
/// it holds is only let go, there.
using Call = std::function<void(Napi::Env)>;

void call_back(Napi::Env env, Napi::Function, std::nullptr_t*, Call* call) {
  const std::unique_ptr<Call> owned(call);
  if (env != nullptr) (*call)(env);
}

}  // namespace

struct JobQueue::Entry {
  const JobQueue* owner;
  std::shared_ptr<Job> job;
  Work work;
  int threads;
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference progress;
  Napi::TypedThreadSafeFunction<std::nullptr_t, Call, call_back> javascript;
  bool closed = false;  // the environment is going down, and took `javascript` along

  // The outcome: one of these.
  Settle settle;
  std::optional<Error> error;

  Napi::FunctionReference tokens = {};

  void run();
  void watch();
  void send(Call call);
  static void deliver(const std::shared_ptr<Entry>& entry);
};

/// A thread that runs entries one after another. The threads that OpenMP starts from it take on its name.
class JobQueue::Worker {
 public:
  explicit Worker(const char* name) : thread_([this, name] { run(name); }) {}

  /// Every queue has stopped by then, so nothing is left.
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void add(std::shared_ptr<Entry> entry) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(entry));
    }
    changed_.notify_all();
  }

  bool busy() const {
    const std::lock_guard lock(mutex_);
    return running_ != nullptr || !waiting_.empty();
  }

  /// Takes out the job's entry if it still waits.
  std::vector<std::shared_ptr<Entry>> take(const std::shared_ptr<Job>& job) {
    const std::lock_guard lock(mutex_);
    return take_if(waiting_, [&](const Entry& entry) { return entry.job == job; });
  }

  /// Takes out all that a queue has left. What runs is cancelled, and over when this returns.
  std::vector<std::shared_ptr<Entry>> take_all(const JobQueue* owner) {
    const auto is_own = [owner](const Entry& entry) { return entry.owner == owner; };
    std::unique_lock lock(mutex_);
    auto taken = take_if(waiting_, is_own);
    if (running_ && is_own(*running_)) running_->job->cancelled = true;
    changed_.wait(lock, [&] { return !running_ || !is_own(*running_); });
    const auto closed = take_if(closed_, is_own);
    taken.insert(taken.end(), closed.begin(), closed.end());
    return taken;
  }

 private:
  using Entries = std::deque<std::shared_ptr<Entry>>;

  template <typename Choose>
  static std::vector<std::shared_ptr<Entry>> take_if(Entries& entries, const Choose& choose) {
    const auto chosen = std::stable_partition(entries.begin(), entries.end(),
                                              [&](const auto& entry) { return !choose(*entry); });
    std::vector<std::shared_ptr<Entry>> taken(std::make_move_iterator(chosen),
                                              std::make_move_iterator(entries.end()));
    entries.erase(chosen, entries.end());
    return taken;
  }

  void run(const char* name) {
#ifdef __APPLE__
    pthread_setname_np(name);
#else
    pthread_setname_np(pthread_self(), name);
#endif
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      running_ = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      running_->run();
      Entry::deliver(running_);
      lock.lock();
      if (running_->closed) closed_.push_back(running_);
      running_.reset();
      changed_.notify_all();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Entries waiting_;
  std::shared_ptr<Entry> running_;  // written by this thread alone, under the lock
  /// Not delivered, because the environment is going down. They hold references into JavaScript, which must
  /// be dropped on its thread.
  Entries closed_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

struct JobQueue::Workers {
  Worker compute{"ds-compute"}, open{"ds-open"};
};

/// They live as long as an environment that has the addon.
std::shared_ptr<JobQueue::Workers> JobQueue::workers_of_process() {
  static std::mutex mutex;
  static std::weak_ptr<Workers> living;
  const std::lock_guard lock(mutex);
  auto workers = living.lock();
  if (!workers) living = workers = std::make_shared<Workers>();
  return workers;
}

Napi::Error to_javascript(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, name(error.code())));
  Napi::Object details = Napi::Object::New(env);
  for (const auto& [key, value] : error.details()) details.Set(key, Napi::String::New(env, value));
  result.Set("details", details);
  return result;
}

JobQueue::JobQueue() : workers_(workers_of_process()) {}

JobQueue::~JobQueue() { stop(); }

void JobQueue::stop() {
  for (Worker* worker : {&workers_->compute, &workers_->open}) {
    for (const auto& entry : worker->take_all(this)) {
      if (!entry->closed) entry->javascript.Release();
    }
  }
}

Napi::Value JobQueue::submit(Napi::Env env, Lane lane, std::shared_ptr<Job> job, Napi::Value progress,
                             int threads, Work work, Napi::Value tokens) {
  auto entry = std::make_shared<Entry>(Entry{this,
                                             std::move(job),
                                             std::move(work),
                                             threads,
                                             Napi::Promise::Deferred::New(env),
                                             {},
                                             {},
                                             false,
                                             {},
                                             {}});
  if (progress.IsFunction()) entry->progress = Napi::Persistent(progress.As<Napi::Function>());
  if (tokens.IsFunction()) entry->tokens = Napi::Persistent(tokens.As<Napi::Function>());
  // Keeps the event loop alive until the promise is settled.
  entry->javascript = decltype(entry->javascript)::New(env, "deltascope job", 0, 1);
  const Napi::Promise promise = entry->deferred.Promise();
  (lane == Lane::compute ? workers_->compute : workers_->open).add(std::move(entry));
  return promise;
}

void JobQueue::cancel(const std::shared_ptr<Job>& job) {
  job->cancelled = true;
  for (Worker* worker : {&workers_->compute, &workers_->open}) {
    for (const auto& entry : worker->take(job)) {
      entry->run();  // finds that it was cancelled, and that is all
      Entry::deliver(entry);
    }
  }
}

bool JobQueue::computing() const { return workers_->compute.busy(); }

void JobQueue::Entry::run() {
  try {
    job->throw_if_cancelled();
    watch();
    omp_set_num_threads(threads);
    settle = work(*job);
  } catch (const Error& e) {
    error = e;
  } catch (const std::bad_alloc&) {
    error = Error(Code::out_of_memory, "not enough memory for this computation");
  } catch (const std::exception& e) {
    error = Error(Code::invalid_argument, std::string("unexpected failure: ") + e.what());
  }
  job->on_progress = nullptr;
  job->on_token = nullptr;
  work = nullptr;
}

/// Reports progress at most every 50 ms, and at the end; tokens at once.
void JobQueue::Entry::watch() {
  if (!tokens.IsEmpty()) {
    job->on_token = [this](int64_t text, int32_t id) {
      send([this, text, id](Napi::Env env) {
        tokens.Call({Napi::Number::New(env, static_cast<double>(text)), Napi::Number::New(env, id)});
      });
    };
  }
  if (progress.IsEmpty()) return;
  using Clock = std::chrono::steady_clock;
  job->on_progress = [this, last = Clock::time_point{}](int64_t done, int64_t total) mutable {
    const auto now = Clock::now();
    if (done < total && now - last < std::chrono::milliseconds(50)) return;
    last = now;
    // The entry outlives the call: the one that delivers the outcome holds it, and comes after.
    send([this, done, total](Napi::Env env) {
      progress.Call({Napi::Number::New(env, static_cast<double>(done)),
                     Napi::Number::New(env, static_cast<double>(total))});
    });
  };
}

void JobQueue::Entry::send(Call call) {
  if (closed) return;
  auto owned = std::make_unique<Call>(std::move(call));
  const napi_status status = javascript.NonBlockingCall(owned.get());
  if (status == napi_ok) static_cast<void>(owned.release());
  closed = status == napi_closing;
}

/// Settles the promise, unless the environment is going down.
void JobQueue::Entry::deliver(const std::shared_ptr<Entry>& entry) {
  entry->send([entry](Napi::Env env) {
    entry->progress.Reset();
    entry->tokens.Reset();
    if (entry->error) {
      entry->deferred.Reject(to_javascript(env, *entry->error).Value());
      return;
    }
    try {
      entry->deferred.Resolve(entry->settle(env));
    } catch (const Napi::Error& e) {
      entry->deferred.Reject(e.Value());
    }
    entry->settle = nullptr;
  });
  if (!entry->closed) entry->javascript.Release();
}

}  // namespace deltascope
