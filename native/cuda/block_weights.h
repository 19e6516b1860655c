#pragma once

#include <array>
#include <cstdint>

#include "core/dtype.h"
#include "core/job.h"
#include "cuda/machine.h"
#include "models/block_math.h"
#include "models/model.h"

namespace deltascope::cuda {

/// A linear layer's weights [out, in] on the device; nothing: no values.
struct Matrix {
  const void* values = nullptr;
  DType dtype = DType::f32;
  int64_t out = 0, in = 0;
};

/// Factors, and shifts of a layer norm; nothing: no factors.
struct Norm {
  const float *gamma = nullptr, *beta = nullptr;
};

struct Block {
  Norm norms[kNormSiteCount];
  Matrix linear[kRoleCount];
  const float* bias[kRoleCount] = {};
};

/// An expert's gate, up and down.
struct Expert {
  Matrix linear[kRoleCount];
};

/// Where the tensors of a block, its experts apart, lie in one piece of memory. Weights are as `row_dtype` says, norms and biases
/// float32.
class BlockLayout {
 public:
  BlockLayout(const Model& model, int64_t layer);

  int64_t bytes() const { return bytes_; }
  /// Reads all of it to memory of the host, on all threads. Returns how many values are NaN or infinite. Throws as read_rows.
  int64_t read(const Job& job, uint8_t* to) const;
  /// The block in a copy of that memory.
  Block at(const uint8_t* memory) const;

 private:
  template <typename Visit>
  void visit(const Visit& visit) const;

  const Model& model_;
  int64_t layer_, bytes_ = 0;
};

/// The same of one expert.
class ExpertLayout {
 public:
  ExpertLayout(const Model& model, int64_t layer, int64_t expert) : model_(model), layer_(layer), expert_(expert) {}

  int64_t bytes() const;
  int64_t read(const Job& job, uint8_t* to) const;
  Expert at(const uint8_t* memory) const;

 private:
  template <typename Visit>
  void visit(const Visit& visit) const;

  const Model& model_;
  int64_t layer_, expert_;
};

/// Brings memory of the host to the device while the device computes: two pieces take turns, each read into pinned memory,
/// copied on a stream of its own, and not written again before what was computed from it is done.
class Stage {
 public:
  explicit Stage(Machine& machine) : machine_(machine) {}
  ~Stage();

  /// Room for the pieces, taken before any work.
  void reserve(int64_t bytes);

  /// read(to) fills `bytes` bytes of host memory; back comes where they will be on the device, for what is asked of the compute
  /// stream from now on and until the next call but one.
  template <typename Read>
  const uint8_t* bring(int64_t bytes, const Read& read) {
    Piece& piece = turn(bytes);
    read(piece.host.as<>());
    return send(piece, bytes);
  }

 private:
  struct Piece {
    PinnedBytes host;
    DeviceBytes device;
    Event free = make_event(), there = make_event();
  };
  Piece& turn(int64_t bytes);
  const uint8_t* send(Piece& piece, int64_t bytes);

  Machine& machine_;
  std::array<Piece, 2> pieces_;
  size_t at_ = 0;
};

}  // namespace deltascope::cuda
