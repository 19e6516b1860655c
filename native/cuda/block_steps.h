#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cuda/adapter.h"
#include "cuda/block_weights.h"
#include "cuda/kernels.h"
#include "models/block_math.h"
#include "ops/rotary.h"

namespace deltascope::cuda {

/// The slots of a block, and what its products need beside.
struct Slots {
  DeviceBytes values[kSlotCount];
  DeviceBytes rounded, inner, rows, weights, attention;
  DeviceBytes wide;  // weights, widened for float32 products
  PinnedBytes host;
};

/// A model's rotary tables for positions 0 …, on the device.
class Angles {
 public:
  /// length: of every text, where the angles depend on it. Throws OUT_OF_MEMORY.
  void prepare(Machine& machine, const ModelSpec& spec, int64_t positions, int64_t length);

  const float* table(size_t rotary) const { return tables_[rotary].memory.as<float>(); }
  int64_t half(size_t rotary) const { return tables_[rotary].half; }
  int64_t positions() const { return positions_; }

 private:
  struct Table {
    DeviceBytes memory;  // [positions, 2 · half]
    int64_t half = 0;
  };
  std::vector<Table> tables_;
  int64_t positions_ = 0, length_ = 0;
};

/// Rows of a tree cut into strips, with the paths to them, on the device.
class AttentionPlan {
 public:
  /// For the nodes first … of a tree. cut: no strip goes over a multiple of so many rows from the first. tensor: rows that may go to
  /// tensor cores go there; which these are depends on their own depth only.
  void make(Machine& machine, std::span<const int32_t> parent, int64_t first, int64_t cut, int64_t head_dim, bool tensor);

  /// The job of `rows` rows from `from` on, both at a cut or the end, its values left to be set.
  AttentionJob job(int64_t from, int64_t rows) const;

 private:
  struct Strips {
    std::vector<int64_t> begin;  // by cut: its first strip; and the end
    DeviceBytes there;
  };
  int64_t first_ = 0, cut_ = 1, rows_of_strip_ = 1, longest_ = 0;
  Strips short_, long_;
  DeviceBytes path_;
};

/// What is the same of a block's steps on the device, whatever its products are.
class DeviceSteps : public BlockSteps {
 public:
  DeviceSteps(Machine& machine, const ModelSpec& spec, int64_t layer, const Block& block, const Angles& angles,
              const DeviceAdapter& adapter, Slots& slots)
      : machine_(machine),
        spec_(spec),
        own_(spec.blocks[static_cast<size_t>(layer)]),
        layer_(layer),
        block_(block),
        angles_(angles),
        adapter_(adapter),
        slots_(slots) {}

  /// Of the rows at work, on the device.
  const int32_t* positions = nullptr;

  using BlockSteps::linear;
  float* slot(Slot slot, int64_t values) override;
  bool has(NormSite site) const override { return block_.norms[static_cast<size_t>(site)].gamma != nullptr; }
  void norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) override;
  void rotate(float* x, int64_t heads, int64_t rows) override;
  float* activate(float* gate, float* up, int64_t count) override;
  void add(float* x, const float* y, int64_t count) override;
  void clear(float* x, int64_t count) override;
  const float* read(const float* x, int64_t count) override;
  void gather(const float* from, std::span<const Share> shares, float* to, int64_t width) override;
  void add_shares(float* to, std::span<const Share> shares, const float* from, int64_t width) override;

 protected:
  ~DeviceSteps() = default;

  /// Attention of the rows of a job that has all but its pointers to values and its shape. cuts: so that few rows of long paths keep
  /// the device busy.
  void attend(AttentionJob job, const float* q, const float* keys, const float* values, float* out, bool cuts);

  Machine& machine_;
  const ModelSpec& spec_;
  const BlockSpec& own_;
  const int64_t layer_;
  const Block& block_;
  const Angles& angles_;
  const DeviceAdapter& adapter_;
  Slots& slots_;

  /// As norm; y: float32, or bfloat16.
  template <typename Value>
  void norm_to(NormSite site, const float* x, Value* y, int64_t rows, int64_t width) {
    const Norm& norm = block_.norms[static_cast<size_t>(site)];
    if (spec_.norm == deltascope::Norm::rms) {
      rms_norm(x, norm.gamma, spec_.norm_eps, y, rows, width, machine_.stream());
    } else {
      layer_norm(x, norm.gamma, norm.beta, spec_.norm_eps, y, rows, width, machine_.stream());
    }
  }

 private:
  void put_shares(std::span<const Share> shares);
};

/// Products of rows with weights and with a low-rank update, by Products.
class Multiplier {
 public:
  /// narrow: bfloat16 weights, and x rounded to that; else weights of any type, widened, and float32 throughout.
  Multiplier(Machine& machine, Slots& slots, bool narrow) : machine_(machine), slots_(slots), narrow_(narrow) {}

  /// What products see of x [rows, in]; it stays until the next call.
  const void* see(const float* x, int64_t rows, int64_t in);
  /// y = seen · wᵀ; y_stride: 0 where rows of y are dense.
  void multiply(const Matrix& w, const void* seen, float* y, int64_t rows, int64_t y_stride = 0);
  /// y += scale · (x · aᵀ) · bᵀ in float32; null: nothing.
  void add(const Update* update, const float* x, float* y, int64_t rows, int64_t in, int64_t out);

 private:
  Machine& machine_;
  Slots& slots_;
  const bool narrow_;
};

}  // namespace deltascope::cuda
