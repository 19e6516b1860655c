#pragma once

#include <cstdint>

#include "models/layer_weights.h"
#include "models/model_spec.h"

namespace deltascope {

/// Normalises rows of `width` values on the host as the spec says; y may be x.
void apply_norm(const ModelSpec& spec, const NormValues& norm, const float* x, float* y, int64_t rows,
                int64_t width);

}  // namespace deltascope
