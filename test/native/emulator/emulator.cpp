#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace emulator {

int64_t memory = int64_t{4} << 30, taken = 0, peak = 0, threads_run = 0, pinned = 0;
cudaError_t failure = cudaSuccess;
bool backwards = false, reads_late = false;

namespace {

constexpr size_t kStack = 64 * 1024, kMostThreads = 1024;

/// Where threads wait for each other; passed once all that run have come.
struct Meeting {
  int expected = 0, come = 0, round = 0;
};

struct Warp {
  Meeting meeting;
  uint64_t slots[2][32];
};

/// Made once and used for block after block. Only its first start goes by its context: that asks the system, a jump does not.
struct Fiber {
  ucontext_t context;
  jmp_buf at;
  std::unique_ptr<char[]> stack;
  dim3 index;
  int turn = 0;
  bool ended = false;
};

struct Block {
  std::vector<Fiber> fibers = std::vector<Fiber>(kMostThreads);
  std::vector<Warp> warps = std::vector<Warp>(kMostThreads / 32);
  Meeting meeting;
  jmp_buf scheduler;
  size_t current = 0;
  const std::function<void()>* body = nullptr;
};

Block& block() {
  static Block the;
  return the;
}

void yield() {
  Block& b = block();
  if (_setjmp(b.fibers[b.current].at) == 0) _longjmp(b.scheduler, 1);
}

void meet(Meeting& meeting) {
  const int round = meeting.round;
  if (++meeting.come >= meeting.expected) {
    meeting.come = 0;
    ++meeting.round;
    return;
  }
  while (meeting.round == round) yield();
}

/// A thread that has ended is waited for no more.
void leave(Meeting& meeting) {
  --meeting.expected;
  if (meeting.expected > 0 && meeting.come >= meeting.expected) {
    meeting.come = 0;
    ++meeting.round;
  }
}

void enter_fiber() {
  for (;;) {
    Block& b = block();
    (*b.body)();
    b.fibers[b.current].ended = true;
    leave(b.meeting);
    leave(b.warps[b.current / 32].meeting);
    yield();
  }
}

/// Lets a fiber go on until it yields.
[[gnu::noinline]] void resume(Fiber& fiber) {
  if (_setjmp(block().scheduler) != 0) return;
  if (fiber.stack) _longjmp(fiber.at, 1);
  fiber.stack = std::make_unique<char[]>(kStack);
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStack;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, enter_fiber, 0);
  setcontext(&fiber.context);
}

void run_block(const std::function<void()>& body) {
  Block& b = block();
  const size_t threads = size_t{blockDim.x} * blockDim.y * blockDim.z;
  b.body = &body;
  b.meeting = {static_cast<int>(threads), 0, 0};
  for (size_t w = 0; w * 32 < threads; ++w) {
    b.warps[w].meeting = {static_cast<int>(threads - w * 32 < 32 ? threads - w * 32 : 32), 0, 0};
    std::memset(b.warps[w].slots, 0xff, sizeof(b.warps[w].slots));
  }
  for (size_t i = 0; i < threads; ++i) {
    Fiber& fiber = b.fibers[i];
    fiber.ended = false;
    fiber.turn = 0;
    fiber.index = dim3(static_cast<unsigned int>(i), 0, 0);
  }
  threads_run += static_cast<int64_t>(threads);
  for (size_t left = threads; left > 0;) {
    for (size_t n = 0; n < threads; ++n) {
      const size_t i = backwards ? threads - 1 - n : n;
      Fiber& fiber = b.fibers[i];
      if (fiber.ended) continue;
      b.current = i;
      threadIdx = fiber.index;
      resume(fiber);
      left -= fiber.ended;
    }
  }
}

std::map<const void*, int64_t> sizes, pinned_sizes;  // of memory of the device, of pinned memory of the host

/// The piece of memory that an address lies in; its end: nowhere.
auto piece_of(const std::map<const void*, int64_t>& pieces, const void* address) {
  auto after = pieces.upper_bound(address);
  if (after == pieces.begin()) return pieces.end();
  const auto piece = std::prev(after);
  return static_cast<const char*>(address) < static_cast<const char*>(piece->first) + piece->second ? piece : pieces.end();
}

/// Whether so many bytes from an address on are in one piece of the device's memory, or are not the device's.
bool stays_inside(const void* address, size_t bytes) {
  const auto piece = piece_of(sizes, address);
  return piece == sizes.end() || static_cast<const char*>(address) + bytes <= static_cast<const char*>(piece->first) + piece->second;
}

/// Copies whose turn has not come.
struct Copy {
  void* to;
  const void* from;
  size_t bytes;
};
std::vector<Copy> pending;

void catch_up() {
  for (const Copy& copy : pending) std::memcpy(copy.to, copy.from, copy.bytes);
  pending.clear();
}

}  // namespace

void meet_block() { meet(block().meeting); }
void meet_warp() { meet(block().warps[block().current / 32].meeting); }
uint64_t* warp_slots() {
  Block& b = block();
  return b.warps[b.current / 32].slots[b.fibers[b.current].turn ^= 1];
}
int lane() { return static_cast<int>(block().current % 32); }

cudaError_t run(dim3 grid, dim3 size, const std::function<void()>& body) {
  if (failure != cudaSuccess) return std::exchange(failure, cudaSuccess);
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 || size.x * size.y * size.z > kMostThreads)
    return cudaErrorInvalidConfiguration;
  catch_up();
  gridDim = grid, blockDim = size;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) run_block(body);
    }
  }
  return cudaSuccess;
}

}  // namespace emulator

using namespace emulator;

cudaError_t cudaMalloc(void** memory_out, size_t bytes) {
  if (failure != cudaSuccess) return std::exchange(failure, cudaSuccess);
  if (taken + static_cast<int64_t>(bytes) > memory) return cudaErrorMemoryAllocation;
  *memory_out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*memory_out, 0xff, bytes);  // NaN, where it is read before it is written
  sizes[*memory_out] = static_cast<int64_t>(bytes);
  taken += static_cast<int64_t>(bytes);
  peak = std::max(peak, taken);
  return cudaSuccess;
}

cudaError_t cudaFree(void* of) {
  catch_up();
  taken -= sizes[of];
  sizes.erase(of);
  std::free(of);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** out, size_t bytes) {
  *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  ++pinned;
  pinned_sizes[*out] = static_cast<int64_t>(bytes);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* of) {
  pinned_sizes.erase(of);
  std::free(of);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *available = static_cast<size_t>(std::max<int64_t>(0, memory - taken));
  *total = static_cast<size_t>(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  if (!stays_inside(to, bytes) || !stays_inside(from, bytes)) return cudaErrorInvalidValue;
  catch_up();
  pending.push_back({to, from, bytes});
  cudaPointerAttributes attributes{};
  (void)cudaPointerGetAttributes(&attributes, from);
  if (!reads_late || attributes.type != cudaMemoryTypeUnregistered) catch_up();
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* of) {
  attributes->type = piece_of(sizes, of) != sizes.end()                 ? cudaMemoryTypeDevice
                     : piece_of(pinned_sizes, of) != pinned_sizes.end() ? cudaMemoryTypeHost
                                                                        : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = reads_late ? 1 : 0;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  if (!stays_inside(to, bytes)) return cudaErrorInvalidValue;
  catch_up();
  std::memset(to, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  *stream = new int;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  catch_up();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned int) { return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  *event = new int;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaErrorOther";
}
const char* cudaGetErrorString(cudaError_t) { return "as the emulator was told"; }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "emulator");
  properties->major = 9, properties->minor = 0;
  return cudaSuccess;
}
