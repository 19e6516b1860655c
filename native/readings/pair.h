#pragma once

#include "models/model.h"

namespace deltascope {

/// Throws PAIR_MISMATCH, naming both values, unless the models are built alike: depth, widths, heads, norms and activation. Finetunes
/// are; anything else is another model, and to compare the two would be to compare nothing.
void require_built_alike(const Model& base, const Model& other);

}  // namespace deltascope
