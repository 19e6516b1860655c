#include "models/apply_norm.h"

#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace deltascope {

void apply_norm(const ModelSpec& spec, const NormValues& norm, const float* x, float* y, int64_t rows,
                int64_t width) {
  if (spec.norm == Norm::rms) {
    rms_norm(x, width, norm.gamma.data(), spec.norm_eps, y, width, rows, width);
  } else {
    layer_norm(x, width, norm.gamma.data(), norm.beta.data(), spec.norm_eps, y, width, rows, width);
  }
}

}  // namespace deltascope
