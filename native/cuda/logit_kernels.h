#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/top_k.h"

/// What is read of rows of logits, or of any values [rows, width], on the device; as in cuda/kernels.h. A row is cut into pieces of
/// kLogitPiece values whatever stands beside it, and their sums are added in the order of pieces; nothing is atomic.
namespace deltascope::cuda {

inline constexpr int64_t kLogitPiece = 4096;
inline int64_t logit_pieces(int64_t width) { return (width + kLogitPiece - 1) / kLogitPiece; }

// log_sum.cu

/// Of a row x: the largest, Σ e^(x − largest), and the logarithm of Σ e^x. NaN and +∞ make the sums NaN.
struct RowSum {
  float highest;
  double sum, total;
};
/// See ops/log_sum.h, ops/top_k.h: of sign · x. parts: [rows, logit_pieces(width)], scratch; sums: [rows].
void log_sums(const float* x, float sign, int64_t rows, int64_t width, RowSum* parts, RowSum* sums, cudaStream_t stream);

// search.cu

/// The largest of a row, of equal ones the lower id; −1 where one is NaN or the largest is not finite.
struct Largest {
  float value;
  int32_t id;
};
/// parts: [rows, logit_pieces(width)], scratch; out: [rows].
void find_largest(const float* x, int64_t rows, int64_t width, uint64_t* parts, Largest* out, cudaStream_t stream);

/// A place in a row whose values are walked through from the largest down, equal ones by id, NaN left out. Values are named by
/// their keys, which are ordered as they are.
struct Place {
  uint32_t key;          // of the value; above all keys where there is none
  uint64_t ties;         // which of those with this key, from 1 on
  uint64_t mass;         // of all that came before, and this
  uint64_t target, above;  // while it is looked for
};

/// What a value weighs: 1, or as in decode/sampling.h; nothing before `within`, where that is given.
struct Mass {
  const Largest* largest = nullptr;  // [rows]; null: all weigh 1
  double temperature = 1;
  const Place* within = nullptr;  // [rows]: values of smaller keys than these weigh nothing
};

/// Which place is looked for, in terms of the mass that has been passed there.
struct Goal {
  enum class Kind {
    rank,   // the count-th value, or the last
    share,  // the last that stays when what has at most 1 − share together is dropped from the end; the first stays
    draw,   // where more than uniform[row] of the mass has been passed; of that of `of`, where it is given
  } kind;
  int64_t count = 0;
  double share = 0;
  const double* uniform = nullptr;  // [rows]
  const Place* of = nullptr;        // [rows]
};

struct Search {
  const float* values;
  int64_t rows, width;
  float sign;  // of the values: −1 walks from the smallest up
  Mass mass;
  Goal goal;
  Place* places;    // [rows], what is found
  uint64_t* parts;  // [search_parts(rows, width)], scratch
};
int64_t search_parts(int64_t rows, int64_t width);
void search(const Search& search, cudaStream_t stream);

/// What comes up to a place, in the order of ids: to[row, 0 … counts[row] − 1]; the place has a rank of at most `most`.
void gather_until(const float* values, int64_t rows, int64_t width, float sign, const Place* places, int64_t most, RankedId* to,
                  int32_t* counts, cudaStream_t stream);

// sampling.cu

/// The penalty of choose_token for the ids [offsets[row], offsets[row + 1]) of each row, which differ.
void penalise(float* logits, int64_t rows, int64_t width, const int64_t* offsets, const int32_t* ids, double penalty,
              cudaStream_t stream);
/// The id at a place; −1 where largest has none.
void take_places(const float* logits, int64_t rows, int64_t width, const Largest* largest, const Place* places, int32_t* ids,
                 cudaStream_t stream);
/// The id at which more than uniform[row] of a row's mass has been passed in the order of ids; −1 as above. parts: as find_largest.
void draw_by_id(const float* logits, int64_t rows, int64_t width, const Mass& mass, const double* uniform, uint64_t* parts,
                int32_t* ids, cudaStream_t stream);

// average.cu

struct AverageJob {
  const float* logits;     // [lists · prompts, width]
  const RowSum* sums;      // [lists · prompts]
  const int32_t* members;  // [lists, width]: by how many prompts an id is taken; null: by all
  float* out;              // [lists, width]; NaN where an id is not taken by all, or nothing is left of its probability
  int64_t lists, prompts, width;
  bool compat;
};
/// Sums over the prompts of a list of their probabilities, see Averaging.
void add_probabilities(const AverageJob& job, cudaStream_t stream);
/// members[list, id] = how many rows of a list have the id among the first counts[row] of ids [lists · prompts, most].
void count_members(const RankedId* ids, const int32_t* counts, int64_t lists, int64_t prompts, int64_t most, int64_t width,
                   int32_t* members, cudaStream_t stream);

}  // namespace deltascope::cuda
