#pragma once

#include <cstdint>
#include <span>

#include "core/job.h"

namespace deltascope {

/// The shape of one attention layer.
struct AttentionShape {
  int64_t heads = 0;
  int64_t kv_heads = 0;  // divides heads: grouped-query attention
  int64_t head_dim = 0;
  float scale = 1;     // multiplies every score
  float softcap = 0;   // a score s becomes cap · tanh(s / cap); 0: none
  int64_t window = 0;  // a token sees itself and window − 1 before it; 0: all before it
};

/// Causal attention over a prefix tree: a token attends to itself and to its ancestors, no more.
///
/// q: [rows, heads · head_dim] for the nodes first, first + 1, …; k, v: [nodes, kv_heads · head_dim] for all
/// nodes up to the last of these; out: as q, may be q. parents: [nodes], −1 at a root, always below the node
/// itself. All float32, dense. The ancestors are visited from the root down, so that a row's bits depend on
/// its path only. Source: Vaswani et al. 2017, arXiv 1706.03762; grouped queries: Ainslie et al. 2023, arXiv
/// 2305.13245. Throws CANCELLED between two rows.
void tree_attention(const float* q, const float* k, const float* v, float* out,
                    std::span<const int32_t> parents, int64_t first, int64_t rows,
                    const AttentionShape& shape, const Job& job);

}  // namespace deltascope
