#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"
#include "models/unembedding.h"

namespace deltascope {

struct PatchscopeRequest {
  int64_t layer = 0;           // the vector takes the place of this block's output
  std::vector<float> scales;   // each times each vector; may be negative
  TokenBatch prompts;          // the last token of each is patched and read
  int64_t k = 20;              // tokens kept
  int64_t intersection = 0;    // only tokens that are among the first that many of every prompt; 0: all
  float norm = 0;              // vectors are rescaled to this L2 norm first; 0: left as they are
  bool compat = false;         // round as the published implementation does with a bfloat16 model
};

/// Patchscope (Ghandeharioun et al. 2024, arXiv 2401.06102) with several identity prompts, as arXiv 2510.13900 uses it: the
/// next-token probabilities at the patched token, averaged over the prompts where all of them have the token among their
/// first `intersection`, else 0. The largest k above 0, equal ones by id.
/// vectors: [rows, d_model] float32. Returns [rows · scales] lists.
///
/// Nothing above the patched token depends on what it was, so each prompt is computed once, and every (vector, scale) is
/// one more token on it, from block layer + 1 on, all in one batch.
/// compat: vectors, norm, scales and their products, and each prompt's probabilities, are rounded to bfloat16; the forward pass
/// is not.
/// Throws INVALID_ARGUMENT, CANCELLED, FILE_UNREADABLE, FILE_CHANGED.
std::vector<std::vector<LikelyToken>> patchscope(const Model& model, const float* vectors, int64_t rows,
                                                     const PatchscopeRequest& request, Job& job);

/// The same by running every prompt whole for every vector and scale, with logits at every token, as published code does:
/// what the fast way is judged by.
std::vector<std::vector<LikelyToken>> patchscope_reference(const Model& model, const float* vectors, int64_t rows,
                                                               const PatchscopeRequest& request, Job& job);

}  // namespace deltascope
