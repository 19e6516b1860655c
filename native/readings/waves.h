#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// The trees of a batch of texts, each small enough to be worked on as a whole, with progress in nodes.
class Waves {
 public:
  /// context: ModelSpec::prefix_context, the smallest of all models that read the texts.
  Waves(const TokenBatch& tokens, int64_t context, Job& job, int64_t nodes_per_wave = 1 << 13)
      : trees_(plan_trees(tokens, nodes_per_wave, context, job)), job_(job) {
    for (const PrefixTree& tree : trees_) total_ += tree.nodes();
  }

  const std::vector<PrefixTree>& trees() const { return trees_; }

  /// Reports a tree as finished.
  void done(const PrefixTree& tree) const {
    done_ += tree.nodes();
    if (job_.on_progress) job_.on_progress(done_, total_);
  }

 private:
  std::vector<PrefixTree> trees_;
  Job& job_;
  int64_t total_ = 0;
  mutable int64_t done_ = 0;
};

}  // namespace deltascope
