#pragma once

#include <array>
#include <map>

#include "cuda/machine.h"
#include "models/model.h"

namespace deltascope::cuda {

/// A low-rank update on the device, float32; see models/adapter.h.
struct Update {
  const float *a, *b;  // [rank, in], [out, rank]
  int64_t rank = 0;
  float scale = 0;
};

/// A model's updates on the device, from when it is made: those of the blocks, or the head's; those of the embedding stay on the host.
class DeviceAdapter {
 public:
  enum class Part { blocks, head };
  DeviceAdapter(Machine& machine, const Model& model, Part part = Part::blocks);

  /// Null when the adapter leaves it alone; expert: −1 for the block's own.
  const Update* find(int64_t layer, Role role, int64_t expert) const;
  const Update* head() const { return head_.rank == 0 ? nullptr : &head_; }

 private:
  DeviceBytes memory_;
  std::map<std::array<int64_t, 3>, Update> updates_;  // (layer, role, expert)
  Update head_{};
};

}  // namespace deltascope::cuda
