#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/errors.h"

namespace deltascope::cuda {

/// Throws what a failed call means: OUT_OF_MEMORY, DEVICE_UNAVAILABLE, and DEVICE_LOST for all that leaves the process
/// without a usable device (a fault in a kernel, an error of the memory). `what`: the call, for the message.
void check(cudaError_t status, const char* what);

/// Owns one CUDA object. Moves, never copies. Destroying never throws, and bears a runtime that is shutting down.
template <typename T, cudaError_t (*Destroy)(T)>
class Handle {
 public:
  explicit Handle(T value = nullptr) noexcept : value_(value) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() {
    if (value_) (void)Destroy(value_);
  }
  T get() const noexcept { return value_; }

 private:
  T value_;
};

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;

/// A stream that does not wait for the default one; an event without a time.
Stream make_stream();
Event make_event();

/// Bytes of one kind of memory that grow when more is needed; what they held is lost then, once all work on the device is
/// done. Aligned to 256 bytes.
template <void* (*Allocate)(int64_t), cudaError_t (*Free)(void*)>
class Bytes {
 public:
  void reserve(int64_t bytes) {
    if (bytes <= size_) return;
    memory_ = Handle<void*, Free>();
    size_ = 0;
    memory_ = Handle<void*, Free>(Allocate(bytes));
    size_ = bytes;
  }
  /// Room for so many.
  template <typename T>
  T* hold(int64_t count) {
    reserve(count * static_cast<int64_t>(sizeof(T)));
    return as<T>();
  }
  void release() {
    memory_ = Handle<void*, Free>();
    size_ = 0;
  }
  int64_t size() const { return size_; }
  template <typename T = uint8_t>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }

 private:
  Handle<void*, Free> memory_;
  int64_t size_ = 0;
};

/// Throw OUT_OF_MEMORY with the bytes wanted and those that are free.
void* allocate_device(int64_t bytes);
void* allocate_pinned(int64_t bytes);
/// Keeps it for who asks next, so nothing may be on its way from or to there.
cudaError_t free_pinned(void* memory);

/// Whether there was room for so many bytes.
template <typename Memory>
bool try_reserve(Memory& memory, int64_t bytes) {
  try {
    memory.reserve(bytes);
    return true;
  } catch (const Error& error) {
    if (error.code() != Code::out_of_memory) throw;
    return false;
  }
}

using DeviceBytes = Bytes<allocate_device, cudaFree>;
using PinnedBytes = Bytes<allocate_pinned, free_pinned>;

/// Bytes that can be allocated on the device now.
int64_t free_bytes();

/// Waits for all that was asked of a stream.
void wait(cudaStream_t stream);

/// Whether a copy from there reads only when its turn on the stream comes: ordinary memory of the host, on machines whose devices
/// read it by themselves.
bool is_read_late(const void* from);

/// Copies on a stream. From ordinary memory of the host: back when that may be touched again.
template <typename T>
void copy(T* to, const T* from, int64_t count, cudaStream_t stream) {
  if (count <= 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(count) * sizeof(T), cudaMemcpyDefault, stream), "cudaMemcpyAsync");
  if (is_read_late(from)) wait(stream);
}

/// Values that go to memory of the device.
template <typename T>
T* put(DeviceBytes& to, const std::vector<T>& values, cudaStream_t stream) {
  const auto count = static_cast<int64_t>(values.size());
  copy(to.hold<T>(count), values.data(), count, stream);
  return to.as<T>();
}

}  // namespace deltascope::cuda
