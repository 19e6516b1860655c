#pragma once

#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

enum class Pooling { last, mean };

/// One vector a text: the residual stream after the last block and the final norm, of the last token or the mean of all,
/// scaled to L2 norm 1. [sequence][d_model] float32. Throws INVALID_ARGUMENT (also for a text without tokens), CANCELLED,
/// FILE_UNREADABLE, FILE_CHANGED.
std::vector<std::vector<float>> embed_texts(const Model& model, const TokenBatch& tokens, Pooling pooling, Job& job);

}  // namespace deltascope
