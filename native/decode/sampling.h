#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace deltascope {

/// How the next token is chosen, as transformers has it: the repetition penalty first, then temperature,
/// top-k, top-p.
struct Sampling {
  double temperature = 0;  // logits are divided by it; 0: the largest logit, of equal ones the lower id
  int64_t top_k = 0;       // keeps the k largest logits, and those equal to the k-th; 0: all
  double top_p = 1;        // keeps the most probable tokens, as few as have this probability together
  double repetition_penalty = 1;  // divides positive logits of tokens in prompt and text, multiplies negative
                                  // ones (Keskar et al. 2019, arXiv 1909.05858)
};

/// What a token weighs in a draw is a whole number, this much for the most probable: sums of them do not depend on their order. A
/// token of less than 2^-41 of its probability is not drawn.
inline constexpr double kWeightUnit = 0x1p40;

/// Reused from choice to choice.
struct SamplingScratch {
  std::vector<float> scores, sorted;
  std::vector<int32_t> kept;
};

/// The token of a row of float32 logits; −1 when one is NaN or the largest is not finite. Scores are float32, after the
/// penalty too; equal ones rank by id, lower first. seen: the ids of prompt and text, needed for a repetition penalty only.
/// uniform: in [0, 1).
int32_t choose_token(std::span<const float> logits, const Sampling& sampling, const std::set<int32_t>& seen,
                     double uniform, SamplingScratch& scratch);

/// How the next tokens of several rows are chosen.
struct Choice {
  Sampling sampling;
  std::vector<double> uniform;                // [rows]
  std::vector<const std::set<int32_t>*> seen;  // [rows]
};

/// choose_token for rows [rows, vocabulary], on all threads.
std::vector<int32_t> choose_tokens(std::span<const float> logits, const Choice& choice);

/// Whether a text ends in the same 1 to 32 tokens, `times` times in a row. times: at least 2.
bool ends_in_repetition(std::span<const int32_t> ids, int64_t times);

}  // namespace deltascope
