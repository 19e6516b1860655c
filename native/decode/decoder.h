#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/job.h"
#include "decode/text_blocks.h"
#include "models/forward.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// What is added to the residual stream after a block, at every token: a text's strength times the vector.
struct Steering {
  int64_t layer = -1;         // −1: nothing
  std::vector<float> vector;  // [d_model]
};

/// Texts that grow by a token at a time, all in one batch. What attention remembers is kept as a prefix tree:
/// texts of one beginning share it, and those steered at different strengths share it up to the steered
/// block. A text's logits depend on its tokens and its strength alone, to the bit, whatever stands beside it
/// and however many threads work. Threads: OpenMP's setting of the calling thread.
class Decoder {
 public:
  /// weights_budget: bytes of weights that stay in memory; the rest is read at every token.
  Decoder(const Model& model, Steering steering, int64_t weights_budget);
  ~Decoder();

  /// Begins texts, and forgets those before: one for each prompt, which has at least one token, at most
  /// spec().prefix_context() and known ids. strengths: one a prompt. on_progress: as the job's, in nodes pushed
  /// through a block. expected: tokens that may follow in all, for which memory is set aside. Throws CANCELLED,
  /// FILE_CHANGED, FILE_UNREADABLE.
  void begin(const TokenBatch& prompts, std::span<const float> strengths, Job& job,
             const std::function<void(int64_t done, int64_t total)>& on_progress = {}, int64_t expected = 0);

  /// Appends ids[i] to the text rows[i], each at most once. Throws as begin.
  void append(std::span<const int64_t> rows, std::span<const int32_t> ids, Job& job);

  /// What follows the texts that were begun, or appended to, last: their logits [rows, vocabulary]; a token of each, −1
  /// where the logits are not finite. Throw as begin.
  std::vector<float> logits(const Job& job) { return blocks_->logits(job); }
  std::vector<int32_t> choose(const Choice& choice, const Job& job) { return blocks_->choose(choice, job); }

  /// Bytes that attention remembers of one token.
  static int64_t bytes_per_token(const Model& model);

 private:
  /// The tokens that are remembered in some of the blocks.
  struct Memory {
    int64_t first = 0, end = 0;             // blocks
    std::vector<int32_t> parent, position;  // [nodes]
    std::vector<int32_t> last;              // by row: the node of its last token
  };

  bool is_steered() const { return steering_.layer >= 0; }
  void read_prompts(const TokenBatch& prompts, std::span<const float> strengths, Job& job,
                    const std::function<void(int64_t done, int64_t total)>& on_progress, int64_t expected);
  KeyValueObserver observer(const Memory& memory, int64_t expected);
  void run_blocks(Memory& memory, std::span<const int64_t> rows, Job& job);

  const Model& model_;
  const Steering steering_;
  std::unique_ptr<TextBlocks> blocks_;
  std::vector<float> strengths_;
  Memory lower_, upper_;  // up to the steered block, and after it
};

}  // namespace deltascope
