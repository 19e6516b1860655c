#include <dnnl.hpp>
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "core/errors.h"
#include "ops/convert.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

// oneDNN's float32 product is not row-invariant by itself (docs/decisions/001), so every call made here has exactly the
// same shape for a given weight: kRows rows (the last block is padded with zeros), one panel of columns, one
// thread. Threads share out blocks. 192 is a multiple of all row tiles of its AVX2 and AVX-512 kernels.
constexpr int64_t kRows = 192;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

/// [kRows, in] bfloat16 · [in, columns] bfloat16 → float32 rows of stride `y_stride`, on one thread. Any thread may run
/// it with a scratchpad of its own: those that oneDNN keeps belong to the thread that made the primitive.
struct Bf16Product {
  dnnl::memory::desc x, w, y, scratchpad;
  dnnl::matmul product;
};

/// Made once a shape: the kernel is compiled for it. One thread, so that its cuts do not follow the number of threads.
const Bf16Product& bf16_product(int64_t in, int64_t columns, int64_t y_stride) {
  static std::mutex mutex;
  static std::map<std::tuple<int64_t, int64_t, int64_t>, Bf16Product> made;
  const std::lock_guard lock(mutex);
  const auto key = std::tuple(in, columns, y_stride);
  const auto found = made.find(key);
  if (found != made.end()) return found->second;
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const dnnl::memory::desc x({kRows, in}, Type::bf16, Tag::ab), w({in, columns}, Type::bf16, Tag::ab),
      y({kRows, columns}, Type::f32, dnnl::memory::dims{y_stride, 1});
  dnnl::primitive_attr own_scratchpad;
  own_scratchpad.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), own_scratchpad, engine());
  const Bf16Product& product =
      made.emplace(key, Bf16Product{x, w, y, description.scratchpad_desc(), dnnl::matmul(description)}).first->second;
  omp_set_num_threads(threads);
  return product;
}

/// The float32 product of one block: kRows rows of x by one panel.
struct F32Blocks {
  using X = float;
  const PackedMatrix& w;
  int64_t y_stride;

  bool run(int64_t panel, const float* x, int64_t x_stride, float* y) const {
    const int64_t columns = w.width(panel);
    return dnnl_sgemm('N', 'N', kRows, columns, w.in(), 1.0f, x, x_stride, w.panel_f32(panel), columns, 0.0f, y,
                      y_stride) == dnnl_success;
  }
};

/// The same in bfloat16; rows of x are dense.
struct Bf16Blocks {
  using X = uint16_t;
  const PackedMatrix& w;
  const Bf16Product &whole, &last;  // by the width of the panel
  size_t scratchpad_bytes;
  std::vector<uint8_t> scratchpads;  // [threads]

  Bf16Blocks(const PackedMatrix& w, int64_t y_stride)
      : w(w),
        whole(bf16_product(w.in(), w.width(0), y_stride)),
        last(bf16_product(w.in(), w.width(w.panels() - 1), y_stride)),
        scratchpad_bytes((std::max(whole.scratchpad.get_size(), last.scratchpad.get_size()) + 63) / 64 * 64),
        scratchpads(scratchpad_bytes * static_cast<size_t>(omp_get_max_threads())) {}

  bool run(int64_t panel, const uint16_t* x, int64_t, float* y) {
    const Bf16Product& p = panel + 1 < w.panels() ? whole : last;
    dnnl::stream stream(engine());
    const auto memory = [](const dnnl::memory::desc& desc, const void* data) {
      return dnnl::memory(desc, engine(), const_cast<void*>(data));
    };
    uint8_t* scratchpad = scratchpads.data() + scratchpad_bytes * static_cast<size_t>(omp_get_thread_num());
    p.product.execute(stream, {{DNNL_ARG_SRC, memory(p.x, x)},
                               {DNNL_ARG_WEIGHTS, memory(p.w, w.panel_bf16(panel))},
                               {DNNL_ARG_DST, memory(p.y, y)},
                               {DNNL_ARG_SCRATCHPAD, memory(p.scratchpad, scratchpad)}});
    return true;
  }
};

/// All blocks of a product. `tail`: the rows of the last, partial block, dense and padded with zeros to kRows; null
/// when there is none.
template <typename Blocks>
void run_blocks(Blocks& blocks, const typename Blocks::X* x, int64_t x_stride, const typename Blocks::X* tail,
                const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows, const Job& job) {
  const int64_t row_blocks = (rows + kRows - 1) / kRows;
  // A partial block is computed at the same stride as the whole ones, by the same kernel, and copied.
  const int64_t tail_values = tail == nullptr ? 0 : kRows * y_stride;
  std::vector<float> y_tails(static_cast<size_t>(tail_values * omp_get_max_threads()));
  bool ok = true;
#pragma omp parallel for schedule(dynamic) reduction(&& : ok)
  for (int64_t task = 0; task < row_blocks * w.panels(); ++task) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    const int64_t row = task % row_blocks * kRows, here = std::min(kRows, rows - row);
    const int64_t panel = task / row_blocks, columns = w.width(panel);
    float* out = y + row * y_stride + panel * w.kPanel;
    try {
      if (here == kRows) {
        ok = blocks.run(panel, x + row * x_stride, x_stride, out) && ok;
        continue;
      }
      float* padded = y_tails.data() + omp_get_thread_num() * tail_values;
      ok = blocks.run(panel, tail, w.in(), padded) && ok;
      for (int64_t i = 0; i < here; ++i)
        std::memcpy(out + i * y_stride, padded + i * y_stride, static_cast<size_t>(columns) * sizeof(float));
    } catch (const std::exception&) {
      ok = false;
    }
  }
  job.throw_if_cancelled();
  if (!ok)
    throw Error(Code::out_of_memory,
                "[matmul] oneDNN failed; it reports only that it lacked memory or support");
}

/// Float32 rows by float32 weights.
void matmul_f32(const float* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows,
                const Job& job) {
  const int64_t in = w.in(), whole = rows / kRows * kRows;
  std::vector<float> tail(whole == rows ? 0 : static_cast<size_t>(kRows * in));
  for (int64_t i = whole; i < rows; ++i)
    std::memcpy(&tail[static_cast<size_t>((i - whole) * in)], x + i * x_stride,
                static_cast<size_t>(in) * sizeof(float));
  F32Blocks blocks{w, y_stride};
  run_blocks(blocks, x, x_stride, tail.empty() ? nullptr : tail.data(), w, y, y_stride, rows, job);
}

}  // namespace

bool has_bfloat16_product() {
  static const bool has = [] {
    try {
      const dnnl::memory::desc square({kRows, kRows}, Type::bf16, Tag::ab), out({kRows, kRows}, Type::f32, Tag::ab);
      dnnl::matmul::primitive_desc(dnnl::matmul::desc(square, square, out), engine());
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return has;
}

void matmul(const float* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows,
            const Job& job) {
  if (rows == 0 || w.out() == 0) return;
  if (w.precision() == Precision::float32) {
    matmul_f32(x, x_stride, w, y, y_stride, rows, job);
    return;
  }
  const int64_t in = w.in();
  if (!w.is_narrow()) {
    std::vector<float> rounded(static_cast<size_t>(rows * in));
    round_to_bf16(x, x_stride, rounded.data(), rows, in);
    matmul_f32(rounded.data(), in, w, y, y_stride, rows, job);
    return;
  }
  // Rounded and padded in one go.
  const int64_t whole = rows / kRows * kRows;
  std::vector<uint16_t> rounded(static_cast<size_t>((rows + kRows - 1) / kRows * kRows * in));
  round_to_bf16(x, x_stride, rounded.data(), rows, in);
  Bf16Blocks blocks(w, y_stride);
  run_blocks(blocks, rounded.data(), in, whole == rows ? nullptr : rounded.data() + whole * in, w, y, y_stride, rows,
             job);
}

const char* matmul_backend() {
  static const std::string text = [] {
    const dnnl_version_t* version = dnnl_version();
    return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
  }();
  return text.c_str();
}

}  // namespace deltascope
