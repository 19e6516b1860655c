// As much of CUDA's runtime as native/cuda uses, on the host: device memory is ordinary memory, everything enqueued is done at
// once, and a kernel is run thread by thread, each a fiber that yields where threads of its block or warp meet. So the very
// source that nvcc compiles is judged where there is no device. What it cannot show: races between blocks, the hardware's
// limits and rounding, speed.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)

using std::sqrt;

constexpr int CUDART_VERSION = 13000;

enum cudaError_t {
  cudaSuccess,
  cudaErrorMemoryAllocation,
  cudaErrorInvalidValue,
  cudaErrorInvalidConfiguration,
  cudaErrorNotSupported,
  cudaErrorLaunchOutOfResources,
  cudaErrorInitializationError,
  cudaErrorStubLibrary,
  cudaErrorInsufficientDriver,
  cudaErrorCallRequiresNewerDriver,
  cudaErrorDevicesUnavailable,
  cudaErrorNoDevice,
  cudaErrorInvalidKernelImage,
  cudaErrorNoKernelImageForDevice,
  cudaErrorJitCompilerNotFound,
  cudaErrorUnsupportedPtxVersion,
  cudaErrorJitCompilationDisabled,
  cudaErrorSystemNotReady,
  cudaErrorSystemDriverMismatch,
  cudaErrorCompatNotSupportedOnDevice,
  cudaErrorIllegalAddress,
};

struct dim3 {
  unsigned int x = 1, y = 1, z = 1;
  dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
};

struct cudaDeviceProp {
  char name[256];
  int major, minor;
};

using cudaStream_t = int*;
using cudaEvent_t = int*;
constexpr unsigned int cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
enum cudaMemcpyKind { cudaMemcpyDefault };
enum cudaDeviceAttr { cudaDevAttrPageableMemoryAccessUsesHostPageTables };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };
struct cudaPointerAttributes {
  cudaMemoryType type;
};

namespace emulator {

/// Bytes of device memory there are in all; bytes taken now, and at most so far.
extern int64_t memory, taken, peak;
/// Of the next call that allocates or launches, if not success; then success again.
extern cudaError_t failure;
/// In which order the threads of a block come: the first to the last, or the other way round. What they compute must not
/// depend on it.
extern bool backwards;
/// Whether copies from ordinary memory of the host are done only when something that follows on a stream is, or is waited for.
extern bool reads_late;
/// Threads that have run; pieces of memory of the host that were pinned.
extern int64_t threads_run, pinned;

/// Runs a kernel's body for every thread of a grid.
cudaError_t run(dim3 grid, dim3 block, const std::function<void()>& body);
/// Waits for the other threads of the block, or of the warp.
void meet_block();
void meet_warp();
/// A place for each lane of this thread's warp to leave a value; two take turns, so that a value stays until all have met again.
uint64_t* warp_slots();
int lane();

template <typename T>
T shuffle(T value, int from) {
  static_assert(sizeof(T) <= 8);
  uint64_t* slots = warp_slots();
  std::memcpy(&slots[lane()], &value, sizeof(T));
  meet_warp();
  T result;
  std::memcpy(&result, &slots[from], sizeof(T));
  return result;
}

}  // namespace emulator

extern dim3 gridDim, blockDim, blockIdx, threadIdx;

inline void __syncthreads() { emulator::meet_block(); }
inline void __syncwarp() { emulator::meet_warp(); }
template <typename T>
T __shfl_sync(unsigned int, T value, int lane) {
  return emulator::shuffle(value, lane);
}
template <typename T>
T __shfl_xor_sync(unsigned int, T value, int mask) {
  return emulator::shuffle(value, emulator::lane() ^ mask);
}

template <typename... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void** arguments, size_t, cudaStream_t) {
  return [&]<size_t... i>(std::index_sequence<i...>) {
    return emulator::run(grid, block, [&] { kernel(*static_cast<Parameters*>(arguments[i])...); });
  }(std::index_sequence_for<Parameters...>());
}

cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemGetInfo(size_t* available, size_t* total);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* of);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int device);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned int);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t);
const char* cudaGetErrorString(cudaError_t);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
