#include "cuda/runtime.h"

#include <map>
#include <mutex>
#include <string>

#include "core/errors.h"

namespace deltascope::cuda {
namespace {

/// Errors that a process gets over: the call was refused, the device is as it was.
bool is_recoverable(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorNotSupported:
    case cudaErrorLaunchOutOfResources:
      return true;
    default:
      return false;
  }
}

/// Errors of a device or a driver that this build cannot use.
bool is_absence(cudaError_t status) {
  switch (status) {
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorInsufficientDriver:
    case cudaErrorCallRequiresNewerDriver:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoDevice:
    case cudaErrorInvalidKernelImage:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilationDisabled:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void throw_out_of_memory(int64_t bytes, int64_t available, const char* kind) {
  throw Error(Code::out_of_memory,
              std::to_string(bytes) + " bytes of " + kind + " memory are needed; " + std::to_string(available) +
                  " are free",
              {{"expected", std::to_string(bytes)}, {"found", std::to_string(available)}});
}

/// Pinned memory that nobody has now, kept for who asks next: to pin a page takes longer than to fill it.
class PinnedPool {
 public:
  void* take(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto fitting = idle_.lower_bound(bytes);
    if (fitting != idle_.end() && fitting->first <= 2 * bytes) {
      void* memory = fitting->second;
      idle_bytes_ -= fitting->first;
      taken_[memory] = fitting->first;
      idle_.erase(fitting);
      return memory;
    }
    void* memory = nullptr;
    cudaError_t status = cudaMallocHost(&memory, static_cast<size_t>(bytes));
    if (status == cudaErrorMemoryAllocation && !idle_.empty()) {
      (void)cudaGetLastError();
      drop_idle();
      status = cudaMallocHost(&memory, static_cast<size_t>(bytes));
    }
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      throw_out_of_memory(bytes, 0, "pinned host");
    }
    check(status, "cudaMallocHost");
    taken_[memory] = bytes;
    return memory;
  }

  cudaError_t give_back(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto taken = taken_.find(memory);
    const int64_t bytes = taken->second;
    taken_.erase(taken);
    if (idle_bytes_ + bytes > kMostIdle) return cudaFreeHost(memory);
    idle_.emplace(bytes, memory);
    idle_bytes_ += bytes;
    return cudaSuccess;
  }

 private:
  static constexpr int64_t kMostIdle = int64_t{2} << 30;

  void drop_idle() {
    for (const auto& [bytes, memory] : idle_) (void)cudaFreeHost(memory);
    idle_.clear();
    idle_bytes_ = 0;
  }

  std::mutex mutex_;
  std::multimap<int64_t, void*> idle_;  // by size
  std::map<void*, int64_t> taken_;
  int64_t idle_bytes_ = 0;
};

PinnedPool& pinned_pool() {
  static auto& pool = *new PinnedPool;  // never destroyed: the runtime may be gone before it
  return pool;
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // a recoverable error is remembered until it is asked for
  const std::string message = std::string("[") + what + "] " + cudaGetErrorName(status) + ": " + cudaGetErrorString(status);
  const Error::Details details = {{"found", cudaGetErrorName(status)}};
  if (status == cudaErrorMemoryAllocation) throw Error(Code::out_of_memory, message, details);
  if (is_absence(status)) throw Error(Code::device_unavailable, message, details);
  if (is_recoverable(status)) throw Error(Code::invalid_argument, message, details);
  throw Error(Code::device_lost, message + "; the device cannot be used by this process any more", details);
}

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return Stream(stream);
}

Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  return Event(event);
}

int64_t free_bytes() {
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  return static_cast<int64_t>(available);
}

void* allocate_device(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    throw_out_of_memory(bytes, free_bytes(), "device");
  }
  check(status, "cudaMalloc");
  return memory;
}

void* allocate_pinned(int64_t bytes) { return pinned_pool().take(bytes); }

cudaError_t free_pinned(void* memory) { return pinned_pool().give_back(memory); }

void wait(cudaStream_t stream) { check(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }

bool is_read_late(const void* from) {
  int reads_itself = 0;
  check(cudaDeviceGetAttribute(&reads_itself, cudaDevAttrPageableMemoryAccessUsesHostPageTables, 0), "cudaDeviceGetAttribute");
  if (reads_itself == 0) return false;  // then copies from there go by memory of the driver's, at once
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, from), "cudaPointerGetAttributes");
  return attributes.type != cudaMemoryTypeHost && attributes.type != cudaMemoryTypeDevice;
}

}  // namespace deltascope::cuda
