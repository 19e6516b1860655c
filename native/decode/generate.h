#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "decode/decoder.h"
#include "decode/sampling.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

struct GenerateRequest {
  TokenBatch prompts;
  Steering steering;
  std::vector<float> strengths;  // one a prompt
  Sampling sampling;
  uint64_t seed = 0;
  int64_t max_new_tokens = 0;
  std::vector<int32_t> stop;  // a text ends with any of these ids
  int64_t stop_repetition =
      0;  // it ends when its tail is the same 1 to 32 tokens this many times in a row; 0: never
  /// Bytes that weights and what attention remembers may take, reading the prompts apart. Weights beyond it
  /// are read again at every token, and texts beyond it wait for those before; one text is computed in any
  /// case.
  int64_t memory_budget = 0;
};

enum class Finish { stop, length, repetition };

struct GeneratedText {
  std::vector<int32_t> ids;  // after the prompt; with the token that ended it
  Finish finish = Finish::length;
};

/// Continues every prompt, in one batch as far as memory goes. A text is the same whatever stands beside it,
/// and however many threads work. The job hears of every token; its progress is
/// in tokens. Throws INVALID_ARGUMENT (an empty prompt,
/// an id, layer, vector, strength or option out of range, a text beyond the context), CANCELLED,
/// FILE_CHANGED, FILE_UNREADABLE, and INVALID_WEIGHTS when logits are not finite.
std::vector<GeneratedText> generate(const Model& model, const GenerateRequest& request, Job& job);

}  // namespace deltascope
