#include "models/activations.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/errors.h"
#include "models/forward.h"
#include "models/head.h"
#include "ops/activation.h"

namespace deltascope {
namespace {

constexpr int64_t kNodesPerWave = 1 << 14;

int64_t total_nodes(const std::vector<PrefixTree>& trees) {
  int64_t nodes = 0;
  for (const PrefixTree& tree : trees) nodes += tree.nodes();
  return nodes;
}

/// Gives the caller every (sequence, token, node) of a tree.
template <typename Visit>
void for_each_token(const PrefixTree& tree, const Visit& visit) {
  for (size_t i = 0; i < tree.sequence.size(); ++i) {
    const auto path = tree.path(i);
    for (size_t at = 0; at < path.size(); ++at)
      visit(static_cast<size_t>(tree.sequence[i]), static_cast<int64_t>(at), static_cast<int64_t>(path[at]));
  }
}

std::vector<std::vector<float>> empty_rows(const TokenBatch& tokens, int64_t width) {
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < tokens.sequences(); ++i)
    rows.emplace_back(tokens.sequence(i).size() * static_cast<size_t>(width));
  return rows;
}

}  // namespace

void require_known_tokens(const Model& model, const TokenBatch& tokens) {
  for (const int32_t id : tokens.ids) {
    if (id >= 0 && id < model.spec().vocab_size) continue;
    throw Error(Code::invalid_argument,
                "token id " + std::to_string(id) + " is not in the vocabulary of " +
                    std::to_string(model.spec().vocab_size) + " tokens",
                {{"field", "tokens"},
                 {"expected", "0 to " + std::to_string(model.spec().vocab_size - 1)},
                 {"found", std::to_string(id)}});
  }
}

void require_positions(const Model& model, const TokenBatch& tokens) {
  const int64_t most = model.spec().learned_positions;
  for (int64_t i = 0; most > 0 && i < tokens.sequences(); ++i) {
    const auto length = static_cast<int64_t>(tokens.sequence(i).size());
    if (length <= most) continue;
    throw Error(Code::invalid_argument,
                "text " + std::to_string(i) + " has " + std::to_string(length) + " tokens; " +
                    model.spec().architecture + " knows " + std::to_string(most) + " positions",
                {{"field", "tokens"}, {"expected", std::to_string(most)}, {"found", std::to_string(length)}});
  }
}

void require_distinct(const char* what, const std::vector<int64_t>& values, int64_t end) {
  if (values.empty())
    throw Error(Code::invalid_argument, std::string(what) + " is empty; name at least one",
                {{"field", what}});
  std::set<int64_t> seen;
  for (const int64_t value : values) {
    if (value < 0 || value >= end || !seen.insert(value).second) {
      throw Error(Code::invalid_argument,
                  std::string(what) + " holds " + std::to_string(value) + "; whole numbers from 0 to " +
                      std::to_string(end - 1) + ", each once, are expected",
                  {{"field", what},
                   {"expected", "0 to " + std::to_string(end - 1)},
                   {"found", std::to_string(value)}});
    }
  }
}

std::vector<std::vector<std::vector<float>>> residuals(const Model& model, const TokenBatch& tokens,
                                                       const std::vector<int64_t>& layers, Job& job) {
  require_distinct("layers", layers, model.spec().layers);
  require_known_tokens(model, tokens);
  require_positions(model, tokens);
  const int64_t d = model.spec().d_model;
  std::vector<std::vector<std::vector<float>>> result;
  for (size_t i = 0; i < layers.size(); ++i) result.push_back(empty_rows(tokens, d));

  std::vector<int64_t> ascending = layers;
  std::sort(ascending.begin(), ascending.end());
  Forward forward({&model});
  const auto trees = plan_trees(tokens, kNodesPerWave, model.spec().prefix_context(), job);
  const int64_t work = total_nodes(trees) * (ascending.back() + 1);
  int64_t done = 0;
  for (const PrefixTree& tree : trees) {
    const auto observe = [&](int64_t layer, std::span<const float* const> streams) {
      auto& rows =
          result[static_cast<size_t>(std::find(layers.begin(), layers.end(), layer) - layers.begin())];
      for_each_token(tree, [&](size_t sequence, int64_t at, int64_t node) {
        std::copy_n(streams[0] + node * d, d, rows[sequence].data() + at * d);
      });
    };
    Pass pass;
    pass.on_nodes_done = [&](int64_t nodes) {
      done += nodes;
      if (job.on_progress) job.on_progress(done, work);
    };
    forward.run(tree, ascending, observe, job, pass);
  }
  return result;
}

std::vector<std::vector<float>> logits(const Model& model, const TokenBatch& tokens, Job& job) {
  require_known_tokens(model, tokens);
  require_positions(model, tokens);
  const int64_t d = model.spec().d_model, vocabulary = model.spec().vocab_size;
  auto result = empty_rows(tokens, vocabulary);
  Forward forward({&model});
  const auto trees = plan_trees(tokens, kNodesPerWave, model.spec().prefix_context(), job);
  const std::vector<int64_t> last = {model.spec().layers - 1};
  const int64_t together = model.unembedding().rows_together();
  const int64_t work = total_nodes(trees) * (model.spec().layers + 1);  // the head counts as one more block
  int64_t done = 0;
  const auto advance = [&](int64_t nodes) {
    done += nodes;
    if (job.on_progress) job.on_progress(done, work);
  };
  for (const PrefixTree& tree : trees) {
    std::vector<std::vector<std::pair<size_t, int64_t>>> uses(
        static_cast<size_t>(tree.nodes()));  // node → (sequence, token)
    for_each_token(tree, [&](size_t sequence, int64_t at, int64_t node) {
      uses[static_cast<size_t>(node)].emplace_back(sequence, at);
    });
    const auto observe = [&](int64_t, std::span<const float* const> streams) {
      for (int64_t from = 0; from < tree.nodes(); from += together) {
        const int64_t rows = std::min(together, tree.nodes() - from);
        const auto write = [&](float* block, int64_t count, int32_t first) {
          if (model.spec().logit_softcap > 0) soft_cap(block, rows * count, model.spec().logit_softcap);
          for (int64_t row = 0; row < rows; ++row) {
            for (const auto& [sequence, at] : uses[static_cast<size_t>(from + row)]) {
              std::copy_n(block + row * count, count, result[sequence].data() + at * vocabulary + first);
            }
          }
        };
        unembed(model, streams[0] + from * d, rows, write, job);
        advance(rows);
      }
    };
    Pass pass;
    pass.on_nodes_done = advance;
    forward.run(tree, last, observe, job, pass);
  }
  return result;
}

}  // namespace deltascope
