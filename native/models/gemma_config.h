#pragma once

#include "models/family.h"

namespace deltascope {

/// What Gemma 2 and 3 share: norms by 1 + weight around attention and MLP, embeddings scaled by
/// sqrt(d_model), tanh-GELU, a query scale of its own, soft caps where they are set. Rotary tables and
/// windows are left to the family.
void read_gemma(ConfigReader& config, ModelSpec& spec, const Defaults& defaults, double query_scalar);

}  // namespace deltascope
