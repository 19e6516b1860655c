#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/job.h"
#include "decode/sampling.h"

namespace deltascope {

/// Tokens at the ends of texts, one a row: the last nodes of a tree that all texts share.
struct TextEnds {
  std::span<const int32_t> parent, position;  // of all nodes, the rows' last
  int64_t rows = 0;
};

/// The decoder blocks of one model over texts that grow token by token: its weights, and what attention remembers by block, in
/// the backend's memory. A text's results depend on its tokens alone, to the bit, whatever stands beside it.
class TextBlocks {
 public:
  virtual ~TextBlocks() = default;

  /// Forgets all texts.
  virtual void forget() = 0;

  /// Gives back weights that stay in memory; they come again when they are needed. Whether there were any.
  virtual bool drop_weights() = 0;

  /// Takes over what TreeBlocks of the same backend show of a block for all nodes, with room for `expected` more.
  virtual void remember(int64_t layer, const float* keys, const float* values, int64_t nodes, int64_t expected) = 0;

  /// The rows' residual streams, [rows, d_model] on the host, as they enter the blocks that follow.
  virtual void put(const float* x, int64_t rows) = 0;

  /// Pushes the rows through a block and remembers them there.
  virtual void run(int64_t layer, const TextEnds& ends, Job& job) = 0;

  /// Adds strengths[i] times the vector [d_model] to row i; both on the host.
  virtual void steer(std::span<const float> vector, std::span<const float> strengths) = 0;

  /// Next-token logits of the rows, [rows, vocabulary], soft cap applied, on the host.
  virtual std::vector<float> logits(const Job& job) = 0;

  /// A next token of each row, chosen where the logits are: as choose_token does, given the same logits.
  virtual std::vector<int32_t> choose(const Choice& choice, const Job& job) = 0;
};

}  // namespace deltascope
