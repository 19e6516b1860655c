#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/block_math.h"
#include "models/layer_weights.h"
#include "ops/rotary.h"

namespace deltascope {

/// What the buffer held is lost where it must grow: the old memory is given back before the new is taken, and no more is
/// taken than is needed.
void resize_for(std::vector<float>& buffer, int64_t values);

/// The slots of a block, grown as needed.
struct HostSlots {
  std::vector<float> values[kSlotCount];
};

/// A block's steps between its products, by the functions of ops/.
class HostSteps : public BlockSteps {
 public:
  HostSteps(const ModelSpec& spec, const BlockSpec& own, const BlockNorms& norms,
            const std::vector<RotaryAngles>& angles, HostSlots& slots)
      : spec_(spec), own_(own), norms_(norms), angles_(angles), slots_(slots) {}

  /// Of the rows at work, for `rotate`.
  std::span<const int32_t> positions;

  using BlockSteps::linear;
  float* slot(Slot slot, int64_t values) override;
  bool has(NormSite site) const override { return static_cast<bool>(norm_at(site)); }
  void norm(NormSite site, const float* x, float* y, int64_t rows, int64_t width) override;
  void rotate(float* x, int64_t heads, int64_t rows) override;
  float* activate(float* gate, float* up, int64_t count) override;
  void add(float* x, const float* y, int64_t count) override;
  void clear(float* x, int64_t count) override;
  const float* read(const float* x, int64_t count) override;
  void gather(const float* from, std::span<const Share> shares, float* to, int64_t width) override;
  void add_shares(float* to, std::span<const Share> shares, const float* from, int64_t width) override;

 protected:
  ~HostSteps() = default;

  const ModelSpec& spec_;
  const BlockSpec& own_;

 private:
  const NormValues& norm_at(NormSite site) const;

  const BlockNorms& norms_;
  const std::vector<RotaryAngles>& angles_;
  HostSlots& slots_;
};

}  // namespace deltascope
