#include "binding/job_queue.h"

#include <omp.h>

#include <chrono>
#include <new>
#include <optional>

namespace deltascope {

struct JobQueue::Entry {
  std::shared_ptr<Job> job;
  Work work;
  int threads;
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference progress;
  Napi::ThreadSafeFunction to_javascript;
  bool closed = false;  // the environment is going down; worker thread only

  // The outcome: one of these.
  Settle settle;
  std::optional<Error> error;
};

Napi::Error to_javascript(Napi::Env env, const Error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, name(error.code())));
  Napi::Object details = Napi::Object::New(env);
  for (const auto& [key, value] : error.details()) details.Set(key, Napi::String::New(env, value));
  result.Set("details", details);
  return result;
}

JobQueue::JobQueue() : worker_([this] { run(); }) {}

void JobQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    if (running_) running_->cancelled = true;
  }
  wake_.notify_all();
  if (worker_.joinable()) worker_.join();
}

JobQueue::~JobQueue() { stop(); }

Napi::Value JobQueue::submit(Napi::Env env, std::shared_ptr<Job> job, Napi::Value progress, int threads,
                             Work work) {
  auto entry = std::make_shared<Entry>(Entry{
      std::move(job), std::move(work), threads, Napi::Promise::Deferred::New(env), {}, {}, false, {}, {}});
  if (progress.IsFunction()) entry->progress = Napi::Persistent(progress.As<Napi::Function>());
  // Keeps the event loop alive until the promise is settled.
  entry->to_javascript = Napi::ThreadSafeFunction::New(
      env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "deltascope job", 0, 1);
  const Napi::Promise promise = entry->deferred.Promise();
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(entry));
  }
  wake_.notify_one();
  return promise;
}

void JobQueue::run() {
  for (;;) {
    std::shared_ptr<Entry> entry;
    {
      std::unique_lock lock(mutex_);
      running_.reset();
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      entry = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = entry->job;
    }

    if (!entry->progress.IsEmpty()) {
      using Clock = std::chrono::steady_clock;
      auto last = Clock::time_point{};
      entry->job->on_progress = [entry = entry.get(), last](int64_t done, int64_t total) mutable {
        const auto now = Clock::now();
        if (entry->closed || (done < total && now - last < std::chrono::milliseconds(50))) return;
        last = now;
        const auto call = [entry, done, total](Napi::Env, Napi::Function) {
          entry->progress.Call({Napi::Number::New(entry->progress.Env(), static_cast<double>(done)),
                                Napi::Number::New(entry->progress.Env(), static_cast<double>(total))});
        };
        if (entry->to_javascript.NonBlockingCall(call) == napi_closing) entry->closed = true;
      };
    }
    try {
      omp_set_num_threads(entry->threads);
      entry->job->throw_if_cancelled();
      entry->settle = entry->work(*entry->job);
    } catch (const Error& e) {
      entry->error = e;
    } catch (const std::bad_alloc&) {
      entry->error = Error(Code::out_of_memory, "not enough memory for this computation");
    } catch (const std::exception& e) {
      entry->error = Error(Code::invalid_argument, std::string("unexpected failure: ") + e.what());
    }
    entry->job->on_progress = nullptr;
    entry->work = nullptr;
    if (entry->closed) {
      abandoned_.push_back(std::move(entry));
      continue;
    }

    const auto finish = [entry](Napi::Env env, Napi::Function) {
      const Napi::HandleScope scope(env);
      entry->progress.Reset();
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
    };
    if (entry->to_javascript.NonBlockingCall(finish) == napi_closing) {
      abandoned_.push_back(std::move(entry));
    } else {
      entry->to_javascript.Release();
    }
  }
}

}  // namespace deltascope
