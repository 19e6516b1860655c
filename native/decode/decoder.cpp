#include "decode/decoder.h"

#include <algorithm>
#include <map>

#include "core/errors.h"
#include "decode/text_blocks.h"
#include "models/forward.h"
#include "ops/elementwise.h"

namespace deltascope {

namespace {

/// One copy of a tree's nodes for every strength that a text of it has.
struct SteeredTree {
  PrefixTree tree;
  std::vector<int32_t> origin;  // by node: in the tree it is a copy of
  std::vector<float> strength;  // by node
  std::vector<int32_t> last;    // by row
};

SteeredTree split_by_strength(const PrefixTree& tree, std::span<const float> strengths) {
  std::map<float, std::vector<size_t>> groups;  // indices into tree.sequence
  for (size_t i = 0; i < tree.sequence.size(); ++i)
    groups[strengths[static_cast<size_t>(tree.sequence[i])]].push_back(i);
  SteeredTree split;
  split.last.resize(strengths.size());
  std::vector<int32_t> copy(
      static_cast<size_t>(tree.nodes()));  // of each node in this group, −1: it has none
  for (const auto& [strength, members] : groups) {
    std::fill(copy.begin(), copy.end(), -1);
    for (const size_t i : members) {
      for (const int32_t node : tree.path(i)) copy[static_cast<size_t>(node)] = 0;
    }
    for (int32_t node = 0; node < tree.nodes(); ++node) {
      const auto at = static_cast<size_t>(node);
      if (copy[at] < 0) continue;
      copy[at] = static_cast<int32_t>(split.tree.nodes());
      split.tree.token.push_back(tree.token[at]);
      split.tree.parent.push_back(tree.parent[at] < 0 ? -1 : copy[static_cast<size_t>(tree.parent[at])]);
      split.tree.position.push_back(tree.position[at]);
      split.origin.push_back(node);
      split.strength.push_back(strength);
    }
    for (const size_t i : members)
      split.last[static_cast<size_t>(tree.sequence[i])] = copy[static_cast<size_t>(tree.leaf[i])];
  }
  return split;
}

}  // namespace

/// Keeps what a pass shows of some tokens' blocks, with room for `expected` more tokens.
KeyValueObserver Decoder::observer(const Memory& memory, int64_t expected) {
  return [this, &memory, expected](int64_t layer, size_t, const float* k, const float* v) {
    blocks_->remember(layer, k, v, static_cast<int64_t>(memory.parent.size()), expected);
  };
}

Decoder::Decoder(const Model& model, Steering steering, int64_t weights_budget)
    : model_(model), steering_(std::move(steering)), blocks_(model.backend().text_blocks(model, weights_budget)) {}

Decoder::~Decoder() = default;

int64_t Decoder::bytes_per_token(const Model& model) {
  const ModelSpec& spec = model.spec();
  return 2 * spec.kv_heads * spec.head_dim * spec.layers * static_cast<int64_t>(sizeof(float));
}

void Decoder::begin(const TokenBatch& prompts, std::span<const float> strengths, Job& job,
                    const std::function<void(int64_t done, int64_t total)>& on_progress, int64_t expected) {
  try {
    read_prompts(prompts, strengths, job, on_progress, expected);
  } catch (const Error& error) {
    // Weights kept for the texts before may be what takes the room.
    if (error.code() != Code::out_of_memory || !blocks_->drop_weights()) throw;
    read_prompts(prompts, strengths, job, on_progress, expected);
  }
}

void Decoder::read_prompts(const TokenBatch& prompts, std::span<const float> strengths, Job& job,
                           const std::function<void(int64_t done, int64_t total)>& on_progress, int64_t expected) {
  const ModelSpec& spec = model_.spec();
  const int64_t d = spec.d_model, rows = prompts.sequences();
  strengths_.assign(strengths.begin(), strengths.end());
  const int64_t split = is_steered() ? steering_.layer + 1 : spec.layers;
  blocks_->forget();
  lower_.first = 0, lower_.end = split;
  upper_.first = split, upper_.end = spec.layers;
  const PrefixTree tree = plan_trees(prompts, INT32_MAX, spec.prefix_context()).front();
  const SteeredTree steered = is_steered() ? split_by_strength(tree, strengths) : SteeredTree{};
  const int64_t work = tree.nodes() * split + steered.tree.nodes() * (spec.layers - split);
  int64_t done = 0;
  const auto count = [&](int64_t nodes) {
    done += nodes;
    if (on_progress) on_progress(done, work);
  };

  lower_.parent = tree.parent;
  lower_.position = tree.position;
  lower_.last.resize(static_cast<size_t>(rows));
  for (size_t i = 0; i < tree.sequence.size(); ++i)
    lower_.last[static_cast<size_t>(tree.sequence[i])] = tree.leaf[i];
  std::vector<float> x, ends(static_cast<size_t>(rows * d));
  const auto gather_ends = [&](const float* from, const Memory& memory) {
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(from + memory.last[static_cast<size_t>(row)] * d, d, ends.data() + row * d);
  };
  Pass below;
  below.on_keys_values = observer(lower_, expected);
  below.on_nodes_done = count;
  auto forward = std::make_unique<Forward>(std::vector<const Model*>{&model_});
  forward->run(
      tree, std::vector<int64_t>{split - 1},
      [&](int64_t, std::span<const float* const> residuals) {
        if (!is_steered()) {
          gather_ends(residuals[0], lower_);
          return;
        }
        x.resize(static_cast<size_t>(steered.tree.nodes() * d));
        for (size_t i = 0; i < steered.origin.size(); ++i) {
          float* to = x.data() + static_cast<int64_t>(i) * d;
          std::copy_n(residuals[0] + steered.origin[i] * d, d, to);
          add_scaled(to, d, steering_.vector.data(), d, steered.strength[i], 1, d);
        }
      },
      job, below);
  if (is_steered()) {
    upper_.parent = steered.tree.parent;
    upper_.position = steered.tree.position;
    upper_.last = steered.last;
    if (split == spec.layers) {
      gather_ends(x.data(), upper_);
    } else {
      const Pass above = {split, {x.data()}, observer(upper_, expected), count};
      forward->run(
          steered.tree, std::vector<int64_t>{spec.layers - 1},
          [&](int64_t, std::span<const float* const> residuals) { gather_ends(residuals[0], upper_); }, job,
          above);
    }
  }
  forward.reset();
  blocks_->put(ends.data(), rows);
}

/// Pushes one new token of each row through some blocks.
void Decoder::run_blocks(Memory& memory, std::span<const int64_t> rows, Job& job) {
  for (const int64_t row : rows) {
    int32_t& last = memory.last[static_cast<size_t>(row)];
    memory.position.push_back(memory.position[static_cast<size_t>(last)] + 1);
    memory.parent.push_back(last);
    last = static_cast<int32_t>(memory.parent.size() - 1);
  }
  const TextEnds ends = {memory.parent, memory.position, static_cast<int64_t>(rows.size())};
  for (int64_t layer = memory.first; layer < memory.end; ++layer) {
    job.throw_if_cancelled();
    blocks_->run(layer, ends, job);
  }
}

void Decoder::append(std::span<const int64_t> rows, std::span<const int32_t> ids, Job& job) {
  const ModelSpec& spec = model_.spec();
  const auto count = static_cast<int64_t>(rows.size());
  PrefixTree tokens;  // no tree: embeddings depend on token and position
  for (size_t i = 0; i < rows.size(); ++i) {
    const int32_t last = lower_.last[static_cast<size_t>(rows[i])];
    tokens.token.push_back(ids[i]);
    tokens.parent.push_back(-1);
    tokens.position.push_back(lower_.position[static_cast<size_t>(last)] + 1);
  }
  std::vector<float> x(static_cast<size_t>(count * spec.d_model));
  NotFinite ignored;
  embed(model_, tokens, x.data(), ignored, job);
  blocks_->put(x.data(), count);
  run_blocks(lower_, rows, job);
  if (is_steered()) {
    std::vector<float> strengths;
    for (const int64_t row : rows) strengths.push_back(strengths_[static_cast<size_t>(row)]);
    blocks_->steer(steering_.vector, strengths);
    run_blocks(upper_, rows, job);
  }
}

}  // namespace deltascope
