// What only an emulated device can be made to do: run its threads in another order, run out of memory, fail.
#include "core/errors.h"
#include "cuda/cuda_test.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
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
  emulator::memory = emulator::peak - 32 * 1024;
  const DiffResult halved = paired_diff(a, b, {ids, offsets}, request, job);
  CHECK(halved.waves > 1);
  CHECK(halved.mean_diff == whole.mean_diff);
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
}

TEST_CASE("a pair on two devices is refused") {
  const Model host(kCase, ""), device(kCase, "", Precision::float32, Job(), cuda_backend());
  const Golden golden(kCase);
  Job job;
  CHECK(code_of([&] { paired_diff(host, device, golden.batch(), {{0}, {0}}, job); }) == "INVALID_ARGUMENT");
}
