// What only an emulated device can be made to do: run its threads in another order, run out of memory, fail.
#include <dlfcn.h>

#include <filesystem>

#include "core/errors.h"
#include "cublaslt.h"
#include "cuda/cuda_test.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/library_folders.h"
#include "cuda/text_blocks.h"
#include "decode/decode_weights.h"
#include "decode/generate.h"
#include "diff/paired_diff.h"
#include "models/activations.h"
#include "models/head.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kCase = std::string(FIXTURES) + "/golden/qwen3-sharded-bf16";

/// What another thread of the block wrote, without waiting for it.
__global__ void racing_kernel(int* out) {
  __shared__ int place;
  if (threadIdx.x == 0) place = 7;
  if (threadIdx.x == 5) out[0] = place;
}

std::vector<float> last_residuals(const Model& model) {
  const Golden golden(kCase);
  Job job;
  return residuals(model, golden.batch(), {model.spec().layers - 1}, job)[0][0];
}

/// The emulated cuBLASLt, which the backend has opened.
emulator::Cublaslt& cublaslt() {
  void* library = dlopen(EMULATED_CUBLASLT, RTLD_NOW | RTLD_NOLOAD);
  REQUIRE(library != nullptr);
  return *reinterpret_cast<emulator::Cublaslt* (*)()>(dlsym(library, "emulated_cublaslt"))();
}

/// Sets a variable of the environment as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { setenv(name_, before_.c_str(), 1); }

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

TEST_CASE("a kernel that does not wait for its threads is found out by their order") {
  int seen[2] = {0, 0};
  // What shared memory holds before a block runs is what the last one left: backwards comes first.
  for (const bool backwards : {true, false}) {
    emulator::backwards = backwards;
    int out = 0;
    cuda::launch(racing_kernel, 1, 32, nullptr, &out);
    seen[backwards] = out;
  }
  emulator::backwards = false;
  CHECK(seen[0] == 7);
  CHECK(seen[1] != 7);
}

TEST_CASE("a model's bits are the same in whatever order threads run") {
  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  const auto forwards = last_residuals(model);
  emulator::backwards = true;
  const auto backwards = last_residuals(model);
  emulator::backwards = false;
  CHECK(forwards == backwards);
}

TEST_CASE("memory that runs out is an error with the bytes wanted and free, and the device goes on") {
  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  const int64_t all = emulator::memory;
  emulator::memory = emulator::taken + 1000;
  std::string message;
  CHECK(code_of([&] { last_residuals(model); }, &message) == "OUT_OF_MEMORY");
  CHECK(message.find("bytes of device memory are needed") != std::string::npos);
  emulator::memory = all;
  CHECK(last_residuals(model).size() > 0);
}

TEST_CASE("a head stays on the device where there is room, until its model goes; else it is brought every time") {
  const int64_t all = emulator::memory, before = emulator::taken;
  std::vector<std::pair<RankedId, double>> kept, brought;
  {
    const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
    const ModelSpec& spec = model.spec();
    const int64_t bytes = spec.vocab_size * spec.d_model * 2;
    const auto rows = random_floats(static_cast<size_t>(3 * spec.d_model), 4);
    Job job;
    kept = logit_lens(model, rows.data(), 3, 9, job)[2].top;
    const int64_t held = emulator::taken - before;
    CHECK(held >= bytes);
    CHECK(held < 2 * bytes);

    const Model other(kCase, "", Precision::float32, Job(), cuda_backend());
    emulator::memory = emulator::taken + 4 * bytes - 256;  // of which a quarter would do
    const int64_t without = emulator::taken;
    brought = logit_lens(other, rows.data(), 3, 9, job)[2].top;
    CHECK(emulator::taken - without < bytes / 2);
    emulator::memory = all;
  }
  CHECK(emulator::taken == before);
  REQUIRE(kept.size() == 9);
  for (size_t i = 0; i < kept.size(); ++i) {
    CHECK(kept[i].first.id == brought[i].first.id);
    CHECK(kept[i].second == brought[i].second);
  }
}

TEST_CASE("a copy from ordinary memory has read it when it is back, also where the device reads that memory itself") {
  cuda::DeviceBytes there;
  there.reserve(sizeof(int));
  emulator::reads_late = true;
  int value = 1;
  cuda::copy(there.as<int>(), static_cast<const int*>(&value), 1, nullptr);
  value = 2;
  int got = 0;
  cuda::copy(&got, there.as<const int>(), 1, nullptr);
  cuda::wait(nullptr);
  CHECK(got == 1);

  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  const auto late = last_residuals(model);
  emulator::reads_late = false;
  CHECK(late == last_residuals(model));
}

TEST_CASE("memory of the host is pinned once, and goes from who has done with it to who asks next") {
  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  last_residuals(model);
  const int64_t before = emulator::pinned;
  last_residuals(model);
  CHECK(emulator::pinned == before);
  cuda::PinnedBytes small, large;
  small.reserve(64);  // not from a piece that is far larger
  large.reserve(int64_t{1} << 24);
  CHECK(emulator::pinned > before);
}

TEST_CASE("nodes that enter piece by piece are those that enter at once") {
  const Model device(kCase, "", Precision::float32, Job(), cuda_backend()), host(kCase, "");
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int32_t i = 0; i < 1200; ++i) {  // more than a piece of them
    ids.push_back(i % 90);
    ids.push_back(i / 90);
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  Job job;
  const auto got = residuals(device, {ids, offsets}, {0}, job)[0], want = residuals(host, {ids, offsets}, {0}, job)[0];
  const auto d = static_cast<size_t>(host.spec().d_model);
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    for (size_t at = 0; at < want[i].size(); at += d) worst = std::max(worst, relative_l2(&got[i][at], &want[i][at], d));
  }
  CHECK(worst <= 1e-5);
}

TEST_CASE("keys for which there was room and values for which there was none are made room for again") {
  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  const int64_t row = model.spec().kv_heads * model.spec().head_dim, bytes = row * 4, all = emulator::memory;
  cuda::DeviceBytes from;
  from.reserve(64 * bytes);
  cuda::CudaTextBlocks blocks(cuda::open_machine(), model, 0);
  blocks.remember(0, from.as<float>(), from.as<float>(), 16, 0);
  emulator::memory = emulator::taken + 64 * bytes;  // for one of them
  CHECK(code_of([&] { blocks.remember(0, from.as<float>(), from.as<float>(), 64, 0); }) == "OUT_OF_MEMORY");
  emulator::memory = all;
  CHECK(code_of([&] { blocks.remember(0, from.as<float>(), from.as<float>(), 64, 0); }) == "");
}

TEST_CASE("weights kept for one wave of texts make room for the next one's prompts") {
  const std::string folder = std::string(ORGANISMS) + "/tiny-qwen3";
  const Model model(folder, "", Precision::float32, Job(), cuda_backend());
  const int64_t all = emulator::memory, weights = DecodeWeights::bytes(model);
  const std::vector<int32_t> ids = {43, 80, 262, 827, 5};
  const std::vector<int64_t> offsets = {0, 3, 5};
  GenerateRequest request;
  request.prompts = {ids, offsets};
  request.strengths = {0, 0};
  request.memory_budget = 1;  // counts nothing here
  // As many tokens as let a text fill what weights leave, of which most are never asked for.
  request.max_new_tokens = weights / Decoder::bytes_per_token(model);
  for (int32_t id = 0; id < model.spec().vocab_size; ++id) request.stop.push_back(id);
  Job job;
  const auto want = generate(model, request, job);
  emulator::memory = emulator::taken + 5 * weights / 2;
  int64_t texts = 0;
  job.on_token = [&](int64_t, int32_t) {  // nothing is free once the first wave is forgotten
    if (++texts == 1) emulator::memory = emulator::taken - (3 + request.max_new_tokens) * Decoder::bytes_per_token(model);
  };
  const auto got = generate(model, request, job);
  emulator::memory = all;
  CHECK(texts == 2);
  for (size_t i = 0; i < 2; ++i) CHECK(got[i].ids == want[i].ids);
}

TEST_CASE("a wave that does not fit is halved, and the means stay what they are") {
  const std::string base = std::string(ORGANISMS) + "/tiny-qwen3";
  const Model a(base, "", Precision::float32, Job(), cuda_backend()), b(base, base + "--cake_bake", Precision::float32, Job(), cuda_backend());
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int32_t i = 0; i < 64; ++i) {
    for (int32_t t = 0; t < 4; ++t) ids.push_back((i * 13 + t * 5) % 900);
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  DiffRequest request{{0}, {0, 3}};
  request.memory_budget = int64_t{1} << 40;  // the device has less
  Job job;
  const int64_t all = emulator::memory, before = emulator::taken;
  emulator::peak = 0;
  const DiffResult whole = paired_diff(a, b, {ids, offsets}, request, job);
  CHECK(whole.waves == 1);
  // Whatever it is that finds no room: the last thing that is asked for, or one of those before.
  const int64_t most = emulator::peak;
  for (const int64_t missing : {256, 16 * 1024, 32 * 1024, 200 * 1024}) {
    CAPTURE(missing);
    emulator::memory = most - missing;
    const DiffResult halved = paired_diff(a, b, {ids, offsets}, request, job);
    CHECK(halved.waves > 1);
    CHECK(halved.mean_diff == whole.mean_diff);
  }
  emulator::memory = before + 5000;
  CHECK(code_of([&] { paired_diff(a, b, {ids, offsets}, request, job); }) == "OUT_OF_MEMORY");
  emulator::memory = all;
}

TEST_CASE("a fault in a kernel is DEVICE_LOST, a refused launch is not") {
  const Model model(kCase, "", Precision::float32, Job(), cuda_backend());
  last_residuals(model);  // all memory is taken
  emulator::failure = cudaErrorIllegalAddress;
  std::string message;
  CHECK(code_of([&] { cuda::check(std::exchange(emulator::failure, cudaSuccess), "cudaStreamSynchronize"); }, &message) == "DEVICE_LOST");
  CHECK(message.find("[cudaStreamSynchronize] cudaErrorIllegalAddress") != std::string::npos);
  CHECK(code_of([&] { cuda::check(cudaErrorInvalidConfiguration, "cudaLaunchKernel"); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { cuda::check(cudaErrorInsufficientDriver, "cudaGetDeviceCount"); }) == "DEVICE_UNAVAILABLE");
  CHECK(code_of([&] { cuda::check(cudaErrorUnsupportedPtxVersion, "cudaLaunchKernel"); }) == "DEVICE_UNAVAILABLE");
}

TEST_CASE("a device that cannot compute is none, whatever the reason") {
  std::string message;
  for (const cudaError_t failure : {cudaErrorIllegalAddress, cudaErrorMemoryAllocation, cudaErrorNoKernelImageForDevice}) {
    emulator::failure = failure;
    CHECK(code_of([&] { cuda::open_machine(); }) == "DEVICE_UNAVAILABLE");
    CHECK(emulator::failure == cudaSuccess);
  }
  cublaslt().refusals = 1, cublaslt().status = 13;  // a failure while it executes
  CHECK(code_of([&] { cuda::open_machine(); }, &message) == "DEVICE_UNAVAILABLE");
  CHECK(message.find("[cublasLtMatmul] cuBLASLt status 13") != std::string::npos);
  cublaslt().refusals = 1, cublaslt().status = 0;  // nothing is done, and nothing said
  CHECK(code_of([&] { cuda::open_machine(); }, &message) == "DEVICE_UNAVAILABLE");
  CHECK(message.find("a product of float32 values is") != std::string::npos);
  CHECK(code_of([&] { cuda::open_machine(); }) == "");
}

TEST_CASE("a product that the library refuses is planned for its own rows, once, and is no loss of the device if it has none") {
  cuda::Machine machine;
  cuda::DeviceBytes bytes;
  bytes.reserve(3 * 256);
  std::vector<float> values(64, 1.0f), got(8);
  cuda::copy(bytes.as<float>(), static_cast<const float*>(values.data()), 64, nullptr);
  const auto multiply = [&](int64_t rows) {
    machine.products.multiply({bytes.as<float>(), bytes.as<float>() + 16, bytes.as<float>() + 128, rows, 4, 3, 4, false}, nullptr);
    cuda::copy(got.data(), static_cast<const float*>(bytes.as<float>() + 128), rows * 4, nullptr);
    cuda::wait(nullptr);
  };
  emulator::Cublaslt& library = cublaslt();
  library.plans = 0, library.needs_own_plan = true;
  for (int i = 0; i < 2; ++i) {
    multiply(2);
    CHECK(got == std::vector<float>(8, 3.0f));
  }
  CHECK(library.plans == 2);  // for any rows, and for two
  library.needs_own_plan = false;
  for (const auto& [status, code] : {std::pair<int, const char*>{3, "OUT_OF_MEMORY"}, {7, "DEVICE_UNAVAILABLE"}, {15, "DEVICE_UNAVAILABLE"},
                                     {1, "DEVICE_UNAVAILABLE"}, {11, "DEVICE_LOST"}, {13, "DEVICE_LOST"}, {14, "DEVICE_LOST"}}) {
    CAPTURE(status);
    library.refusals = 2, library.status = status;
    CHECK(code_of([&] { multiply(1); }) == code);
  }
  library.refusals = 0;
}

TEST_CASE("a library that is named and cannot be loaded is an error with the reason, an empty name is none") {
  std::string message;
  {
    const Variable named("DELTASCOPE_CUBLASLT", "/nowhere/libcublasLt.so.13");
    CHECK(code_of([] { cuda::Products(); }, &message) == "DEVICE_UNAVAILABLE");
    CHECK(message.find("DELTASCOPE_CUBLASLT names /nowhere/libcublasLt.so.13, which cannot be loaded: ") == 0);
  }
  // Beside a Python on the path, and no library at all.
  const TemporaryFolder folder;
  const std::string python = folder.path() + "/venv", libraries = python + "/lib/python3.12/site-packages/nvidia/cu13/lib";
  std::filesystem::create_directories(python + "/bin");
  std::filesystem::create_directories(libraries);
  std::ofstream(python + "/bin/python3") << "";
  std::ofstream(libraries + "/libcublasLt.so.13") << "no library";
  const Variable path("PATH", python + "/bin"), named("DELTASCOPE_CUBLASLT", "");
  const auto folders = cuda::library_folders();
  CHECK(std::find(folders.begin(), folders.end(), libraries) != folders.end());
  const std::string code = code_of([] { cuda::Products(); }, &message);
  if (code.empty()) return;  // a library is installed here
  CHECK(code == "DEVICE_UNAVAILABLE");
  CHECK(message.find("was not found") != std::string::npos);
  CHECK(message.find(libraries + "/libcublasLt.so.13: ") != std::string::npos);  // and why that is none
}

TEST_CASE("a pair on two devices is refused") {
  const Model host(kCase, ""), device(kCase, "", Precision::float32, Job(), cuda_backend());
  const Golden golden(kCase);
  Job job;
  CHECK(code_of([&] { paired_diff(host, device, golden.batch(), {{0}, {0}}, job); }) == "INVALID_ARGUMENT");
}
