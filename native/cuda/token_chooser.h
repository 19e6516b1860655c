#pragma once

#include <vector>

#include "cuda/logit_kernels.h"
#include "cuda/machine.h"
#include "decode/sampling.h"

namespace deltascope::cuda {

/// choose_tokens of decode/sampling.h on the device. Sums are of the same whole numbers, so given the same logits a token is the
/// processor's, unless the last bit of an exponential, of which there are two, lies on the edge of a number drawn.
class TokenChooser {
 public:
  /// logits: [rows, width] on the device; a repetition penalty changes them. Waits for the ids.
  std::vector<int32_t> choose(Machine& machine, float* logits, int64_t width, const Choice& choice);

 private:
  void penalise_seen(Machine& machine, float* logits, int64_t width, const Choice& choice);

  DeviceBytes largest_, parts_, uniform_, among_, share_, drawn_, offsets_, seen_, ids_;
};

}  // namespace deltascope::cuda
