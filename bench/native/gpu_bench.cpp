// What the device can do, and what we do with it. Prints one line of JSON.
//
//   gpu_bench ceiling                                   its bfloat16 products, copies on it, copies to it
//   gpu_bench load BASE LAYER                           bringing the blocks 0 … LAYER to it, nothing computed
//   gpu_bench diff BASE FINETUNED TOKENS LAYER TEXTS [OUT]   a diff of the first TEXTS texts, twice; OUT: the mean diff, float32
//   gpu_bench decode BASE TOKENS PROMPT                 TOKENS tokens after one prompt of PROMPT, weights on the device
//   gpu_bench lens BASE ROWS                            a logit lens of ROWS vectors: the head brought for it, and kept from then on
//
// Models are opened for bfloat16 products. Times: wall clock, from a device that has nothing to do to one that is done.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "cuda/block_weights.h"
#include "decode/decode_weights.h"
#include "decode/generate.h"
#include "diff/paired_diff.h"
#include "format/safetensors.h"
#include "models/head.h"
#include "models/model.h"

using namespace deltascope;

namespace {

template <typename Body>
double seconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void ceiling() {
  cuda::Machine machine;
  double best = 0;
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{4096, 4096}, {12288, 4096}, {8192, 8192}}) {
    const int64_t rows = 8192;
    cuda::DeviceBytes x, w, y;
    x.reserve(rows * in * 2);
    w.reserve(out * in * 2);
    y.reserve(rows * out * 4);
    // Any values that are not all alike: zeros need less power, and so run faster.
    for (auto* bytes : {&x, &w}) {
      std::vector<uint16_t> noise(static_cast<size_t>(bytes->size() / 2));
      uint32_t state = 1;
      for (uint16_t& value : noise) {
        state = state * 1664525u + 1013904223u;
        value = f32_to_bf16(static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
      }
      cuda::copy(bytes->as<uint16_t>(), static_cast<const uint16_t*>(noise.data()), static_cast<int64_t>(noise.size()), machine.stream());
    }
    const auto run = [&](int times) {
      for (int i = 0; i < times; ++i)
        machine.products.multiply({x.as<void>(), w.as<void>(), y.as<float>(), rows, out, in, out, true}, machine.stream());
      cuda::wait(machine.stream());
    };
    run(5);
    const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(out) * static_cast<double>(in);
    best = std::max(best, 30 * flops / seconds([&] { run(30); }));
  }
  const int64_t bytes = int64_t{2} << 30;
  cuda::DeviceBytes from, to;
  cuda::PinnedBytes host;
  from.reserve(bytes);
  to.reserve(bytes);
  host.reserve(bytes / 2);
  const auto on_device = [&](int times) {
    for (int i = 0; i < times; ++i) cuda::copy(to.as<>(), from.as<const uint8_t>(), bytes, machine.stream());
    cuda::wait(machine.stream());
  };
  const auto to_device = [&] {
    cuda::copy(to.as<>(), host.as<const uint8_t>(), bytes / 2, machine.stream());
    cuda::wait(machine.stream());
  };
  on_device(2);
  to_device();
  const double copied = 20.0 * 2 * static_cast<double>(bytes) / seconds([&] { on_device(20); });
  const double sent = static_cast<double>(bytes / 2) / seconds(to_device);
  std::printf("{\"bf16_flops\": %.4g, \"copy_bytes_per_s\": %.4g, \"host_to_device_bytes_per_s\": %.4g}\n", best, copied, sent);
}

void load(const char* folder, int64_t last) {
  const Model model(folder, "", Precision::bfloat16, Job(), cuda_backend());
  cuda::Machine machine;
  cuda::Stage stage(machine);
  int64_t bytes = 0;
  const auto bring_all = [&] {
    bytes = 0;
    for (int64_t layer = 0; layer <= last; ++layer) {
      const cuda::BlockLayout layout(model, layer);
      stage.bring(layout.bytes(), [&](uint8_t* to) { layout.read(Job(), to); });
      bytes += layout.bytes();
    }
    cuda::wait(machine.stream());
  };
  bring_all();
  std::printf("{\"seconds\": %.4f, \"bytes\": %lld}\n", seconds(bring_all), static_cast<long long>(bytes));
}

/// Products of one token in one block, in operations.
double flops_of_block(const ModelSpec& spec, int64_t layer) {
  double flops = 0;
  for (const Role role : kRoles) {
    const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
    if (!has_role(spec, own, role)) continue;
    const LinearShape shape = linear_shape(spec, own, role);
    flops += 2.0 * static_cast<double>(shape.out) * static_cast<double>(shape.in);
  }
  return flops;
}

void diff(const char* base_folder, const char* finetuned_folder, const char* tokens, int64_t layer, int64_t texts, const char* out) {
  const Model base(base_folder, "", Precision::bfloat16, Job(), cuda_backend());
  const Model finetuned(finetuned_folder, "", Precision::bfloat16, Job(), cuda_backend());
  const Safetensors file(tokens);
  const TensorInfo& tensor = file.tensors().at("input_ids");
  const auto raw = file.contents(tensor);
  const int64_t length = tensor.shape[1];
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < std::min(texts, tensor.shape[0]); ++i) {
    for (int64_t t = 0; t < length; ++t) {
      int64_t id = 0;
      std::memcpy(&id, raw.data() + (i * length + t) * 8, 8);
      ids.push_back(static_cast<int32_t>(id));
    }
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  DiffRequest request{{layer}, {}};
  for (int64_t t = 0; t < length; ++t) request.positions.push_back(t);
  Job job;
  DiffResult result;
  double least = 1e30;
  for (int i = 0; i < 2; ++i)
    least = std::min(least, seconds([&] { result = paired_diff(base, finetuned, {ids, offsets}, request, job); }));
  double flops = 0;
  for (int64_t i = 0; i <= layer; ++i) flops += flops_of_block(base.spec(), i) + flops_of_block(finetuned.spec(), i);
  if (out != nullptr) {
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(result.mean_diff.data()), static_cast<std::streamsize>(result.mean_diff.size() * 4));
  }
  std::printf("{\"seconds\": %.4f, \"unique_prefixes\": %lld, \"waves\": %lld, \"flops\": %.6g}\n", least,
              static_cast<long long>(result.unique_prefixes), static_cast<long long>(result.waves),
              flops * static_cast<double>(result.unique_prefixes));
}

void decode(const char* folder, int64_t tokens, int64_t prompt) {
  const Model model(folder, "", Precision::bfloat16, Job(), cuda_backend());
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < prompt; ++i) ids.push_back(static_cast<int32_t>(1 + i * 7919 % 50000 % model.spec().vocab_size));
  const std::vector<int64_t> offsets = {0, prompt};
  const std::vector<float> strengths = {0};
  Job job;
  Decoder decoder(model, {}, int64_t{1} << 50);
  const std::vector<int64_t> row = {0};
  const std::set<int32_t> seen;
  const Choice greedy = {{}, {0.0}, {&seen}}, sampled = {{.temperature = 1, .top_p = 0.9}, {0.5}, {&seen}};
  const auto begin = [&] { decoder.begin({ids, offsets}, strengths, job, {}, 2 * tokens + 8); };
  const auto append = [&](int64_t count, const Choice& how) {
    for (int64_t i = 0; i < count; ++i) decoder.append(row, decoder.choose(how, job), job);
  };
  begin();
  append(8, greedy);  // and the weights are there
  const double reading = seconds(begin), taken = seconds([&] { append(tokens, greedy); });
  const double drawn = seconds([&] { append(tokens, sampled); });
  std::printf("{\"seconds_of_prompt\": %.4f, \"seconds_per_token\": %.6f, \"seconds_per_sampled_token\": %.6f, \"weight_bytes\": %lld}\n",
              reading, taken / static_cast<double>(tokens), drawn / static_cast<double>(tokens),
              static_cast<long long>(DecodeWeights::bytes(model)));
}

void lens(const char* folder, int64_t rows) {
  const Model model(folder, "", Precision::bfloat16, Job(), cuda_backend());
  std::vector<float> vectors(static_cast<size_t>(rows * model.spec().d_model));
  uint32_t state = 1;
  for (float& value : vectors) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  Job job;
  const auto read = [&] { logit_lens(model, vectors.data(), rows, 20, job); };
  const double first = seconds(read), kept = seconds(read);
  std::printf("{\"seconds_brought\": %.4f, \"seconds_kept\": %.4f}\n", first, kept);
}

}  // namespace

int main(int count, char** values) {
  const std::string what = count > 1 ? values[1] : "";
  try {
    if (what == "ceiling" && count == 2) {
      ceiling();
    } else if (what == "load" && count == 4) {
      load(values[2], std::atoll(values[3]));
    } else if (what == "diff" && (count == 7 || count == 8)) {
      diff(values[2], values[3], values[4], std::atoll(values[5]), std::atoll(values[6]), count == 8 ? values[7] : nullptr);
    } else if (what == "decode" && count == 5) {
      decode(values[2], std::atoll(values[3]), std::atoll(values[4]));
    } else if (what == "lens" && count == 4) {
      lens(values[2], std::atoll(values[3]));
    } else {
      std::fprintf(stderr, "usage: see the head of bench/native/gpu_bench.cpp\n");
      return 2;
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return 1;
  }
}
