#include "diff/paired_diff.h"

#include <algorithm>
#include <string>

#include "core/errors.h"
#include "diff/moments.h"
#include "models/activations.h"
#include "models/forward.h"

namespace deltascope {
namespace {

constexpr int64_t kFirstNormPosition = 5;
constexpr int64_t kMostSwaps = 32, kLeastSwaps = 8, kSwapBytes = int64_t{256} << 20;
/// What the first measurement of a process takes once: pages of libraries, generated code, stacks, and JavaScript's heap, which
/// grows while it waits.
constexpr int64_t kProcessBytes = int64_t{6} << 20;
constexpr int kHalvings = 3;  // of a wave for which memory turns out to be too short
constexpr int64_t kDefaultNodes = 4096;  // that many fit by default, however large the model

void require_pair(const ModelSpec& base, const ModelSpec& finetuned) {
  const auto check = [](const char* what, int64_t b, int64_t f) {
    if (b == f) return;
    throw Error(Code::pair_mismatch,
                std::string("base has ") + what + " " + std::to_string(b) + ", finetuned " +
                    std::to_string(f) + "; their activations cannot be subtracted",
                {{"field", what}, {"expected", std::to_string(b)}, {"found", std::to_string(f)}});
  };
  check("layers", base.layers, finetuned.layers);
  check("d_model", base.d_model, finetuned.d_model);
}

/// +1 or −1: whether a sample is swapped, by its index alone. SplitMix64 (Steele, Lea, Flood 2014).
int32_t swap_sign(int64_t sample, int64_t swap) {
  uint64_t x = static_cast<uint64_t>(sample) * 64 + static_cast<uint64_t>(swap) + 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return ((x ^ (x >> 31)) & 1) != 0 ? -1 : 1;
}

int64_t swaps_for(int64_t vectors, int64_t d) {
  const int64_t bytes = vectors * d * static_cast<int64_t>(sizeof(int128));
  return std::clamp(kSwapBytes / bytes, kLeastSwaps, kMostSwaps);
}

/// What counts at the positions asked for. slots: position → index, or −1.
PairSamples samples_of(const PrefixTree& tree, const std::vector<int64_t>& slots, int64_t positions, int64_t d, int64_t swaps,
                       bool compat) {
  const auto nodes = static_cast<size_t>(tree.nodes()), width = static_cast<size_t>(swaps);
  std::vector<int64_t> count(nodes), even(nodes);
  std::vector<int32_t> signs(nodes * width);
  for (size_t i = 0; i < tree.sequence.size(); ++i) {
    const auto leaf = static_cast<size_t>(tree.leaf[i]);
    count[leaf] += 1;
    even[leaf] += tree.sequence[i] % 2 == 0;
    for (int64_t swap = 0; swap < swaps; ++swap)
      signs[leaf * width + static_cast<size_t>(swap)] += swap_sign(tree.sequence[i], swap);
  }
  for (size_t node = nodes; node-- > 0;) {  // children come after their parents
    if (tree.parent[node] < 0) continue;
    const auto parent = static_cast<size_t>(tree.parent[node]);
    count[parent] += count[node];
    even[parent] += even[node];
    for (size_t swap = 0; swap < width; ++swap) signs[parent * width + swap] += signs[node * width + swap];
  }
  const auto slot_of = [&](size_t node) {
    const auto position = static_cast<size_t>(tree.position[node]);
    return position < slots.size() ? slots[position] : -1;
  };
  PairSamples samples;
  samples.d_model = d, samples.swaps = swaps, samples.compat = compat;
  samples.first.assign(static_cast<size_t>(positions + 1), 0);
  for (size_t node = 0; node < nodes; ++node) {
    if (slot_of(node) >= 0) ++samples.first[static_cast<size_t>(slot_of(node) + 1)];
  }
  for (size_t p = 0; p < static_cast<size_t>(positions); ++p) samples.first[p + 1] += samples.first[p];
  std::vector<int64_t> next = samples.first;
  const auto entries = static_cast<size_t>(samples.first.back());
  samples.node.resize(entries);
  samples.count.resize(entries);
  samples.even.resize(entries);
  samples.signs.resize(entries * width);
  for (size_t node = 0; node < nodes; ++node) {
    if (slot_of(node) < 0) continue;
    const auto at = static_cast<size_t>(next[static_cast<size_t>(slot_of(node))]++);
    samples.node[at] = static_cast<int32_t>(node);
    samples.count[at] = count[node];
    samples.even[at] = even[node];
    std::copy_n(signs.data() + node * width, width, samples.signs.data() + at * width);
  }
  return samples;
}

/// The cut texts, and the trees of all waves, at most: a node for each token.
int64_t plan_bytes(const TokenBatch& batch) {
  constexpr int64_t kToken = 4 * static_cast<int64_t>(sizeof(int32_t));
  constexpr int64_t kSequence = 3 * static_cast<int64_t>(sizeof(int64_t)) + static_cast<int64_t>(sizeof(int32_t));
  return static_cast<int64_t>(batch.ids.size()) * kToken + batch.sequences() * kSequence;
}

int64_t widest_tree(const std::vector<PrefixTree>& trees) {
  int64_t nodes = 0;
  for (const PrefixTree& tree : trees) nodes = std::max(nodes, tree.nodes());
  return nodes;
}

int64_t nodes_per_wave(const Forward& forward, int64_t statistics_bytes, int64_t swaps, int64_t budget, int64_t longest) {
  const int64_t pair_bytes = 2 * static_cast<int64_t>(sizeof(Moments::Pair) + sizeof(int64_t)) +  // and PairSamples
                             swaps * static_cast<int64_t>(sizeof(int32_t));
  const int64_t fixed = forward.fixed_bytes() + statistics_bytes + kProcessBytes,
                per_node = forward.bytes_per_node(longest) + pair_bytes;
  const int64_t least = fixed + per_node * longest;
  if (budget == 0) budget = std::max(forward.default_budget(), fixed + per_node * std::max(longest, kDefaultNodes));
  if (budget < least) {
    throw Error(
        Code::out_of_memory,
        "a memory budget of " + std::to_string(budget) +
            " bytes is too small; this measurement needs at least " + std::to_string(least),
        {{"field", "memoryBudget"}, {"expected", std::to_string(least)}, {"found", std::to_string(budget)}});
  }
  return std::min((budget - fixed) / per_node, int64_t{INT32_MAX});  // nodes are numbered in 32 bits
}

}  // namespace

DiffResult paired_diff(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                       const DiffRequest& request, Job& job) {
  require_pair(base.spec(), finetuned.spec());
  require_distinct("layers", request.layers, base.spec().layers);
  require_distinct("positions", request.positions, int64_t{1} << 20);
  require_known_tokens(base, tokens);
  require_known_tokens(finetuned, tokens);

  const auto d = base.spec().d_model;
  const auto L = static_cast<int64_t>(request.layers.size()),
             P = static_cast<int64_t>(request.positions.size());
  const int64_t last = *std::max_element(request.positions.begin(), request.positions.end());
  const int64_t context = std::min(base.spec().prefix_context(), finetuned.spec().prefix_context());
  const OwnedBatch batch = cut(tokens, last + 1, context);
  require_positions(base, batch.view());
  require_positions(finetuned, batch.view());
  int64_t longest = 0;
  for (int64_t i = 0; i < batch.view().sequences(); ++i)
    longest = std::max(longest, static_cast<int64_t>(batch.view().sequence(i).size()));
  if (longest == 0)
    throw Error(Code::invalid_argument, "there are no tokens to measure on", {{"field", "tokens"}});

  std::vector<int64_t> layers = request.layers, slots(static_cast<size_t>(last + 1), -1);
  std::sort(layers.begin(), layers.end());
  for (int64_t p = 0; p < P; ++p) slots[static_cast<size_t>(request.positions[static_cast<size_t>(p)])] = p;

  Forward forward({&base, &finetuned});
  const int64_t swaps = swaps_for(L * P, d);
  const int64_t sums_per_dimension = (5 + swaps) * static_cast<int64_t>(sizeof(int128)) + 1;
  const int64_t statistics_bytes = L * P * (d * sums_per_dimension + static_cast<int64_t>(sizeof(Moments)));
  const int64_t plan = plan_bytes(batch.view());
  std::vector<PrefixTree> trees;
  std::vector<Moments> moments;  // [ascending layer, position asked]
  const auto measure = [&](int64_t most_nodes) {
    trees = plan_trees(batch.view(), most_nodes, context, job);
    moments.assign(static_cast<size_t>(L * P), Moments(d, swaps, request.compat));
    int64_t nodes = 0, done = 0;
    for (const PrefixTree& tree : trees) nodes += tree.nodes();
    const int64_t work = nodes * (layers.back() + 1) * 2;
    for (const PrefixTree& tree : trees) {
      const PairSamples samples = samples_of(tree, slots, P, d, swaps, request.compat);
      const auto observe = [&](int64_t layer, std::span<const float* const>) {
        const auto row = std::lower_bound(layers.begin(), layers.end(), layer) - layers.begin();
        forward.add_moments(samples, std::span(moments).subspan(static_cast<size_t>(row * P), static_cast<size_t>(P)));
      };
      Pass pass;
      pass.on_host = false;
      pass.on_nodes_done = [&](int64_t pushed) {
        done += pushed;
        if (job.on_progress) job.on_progress(done, work);
      };
      forward.run(tree, layers, observe, job, pass);
    }
  };
  int64_t most_nodes = nodes_per_wave(forward, statistics_bytes + plan, swaps, request.memory_budget, longest);
  for (int halvings = 0;; ++halvings) {
    try {
      measure(most_nodes);
      break;
    } catch (const Error& error) {
      if (error.code() != Code::out_of_memory || halvings == kHalvings || most_nodes <= longest) throw;
      most_nodes = std::max(std::min(most_nodes, widest_tree(trees)) / 2, longest);
    }
  }

  DiffResult result;
  result.swaps = swaps;
  result.samples = tokens.sequences();
  result.unique_prefixes = count_unique_prefixes(batch.view(), context, job);
  result.waves = static_cast<int64_t>(trees.size());
  result.base_weights_not_finite = forward.weights_not_finite()[0].total();
  result.finetuned_weights_not_finite = forward.weights_not_finite()[1].total();
  result.shared_weights = forward.shares_weights();
  for (auto* vectors : {&result.mean_diff, &result.base_mean, &result.finetuned_mean})
    vectors->resize(static_cast<size_t>(L * P * d));
  for (int64_t l = 0; l < L; ++l) {
    const auto row = std::lower_bound(layers.begin(), layers.end(), request.layers[static_cast<size_t>(l)]) -
                     layers.begin();
    const auto is_late = [&](int64_t p) {
      return request.positions[static_cast<size_t>(p)] >= kFirstNormPosition;
    };
    bool any_late = false;
    for (int64_t p = 0; p < P; ++p)
      any_late = any_late || (is_late(p) && moments[static_cast<size_t>(row * P + p)].samples() > 0);
    double base_sum = 0, finetuned_sum = 0;
    int64_t norm_tokens = 0;
    for (int64_t p = 0; p < P; ++p) {
      const Moments& here = moments[static_cast<size_t>(row * P + p)];
      const auto at = static_cast<size_t>((l * P + p) * d);
      here.mean_diff(&result.mean_diff[at]);
      here.mean_base(&result.base_mean[at]);
      here.mean_finetuned(&result.finetuned_mean[at]);
      result.standard_error_norm.push_back(static_cast<float>(here.standard_error_norm()));
      result.split_half_cosine.push_back(static_cast<float>(here.split_half_cosine()));
      const Moments::SwapNorms swapped = here.swap_norms();
      result.swap_norm_mean.push_back(static_cast<float>(swapped.mean));
      result.swap_norm_deviation.push_back(static_cast<float>(swapped.deviation));
      result.swap_norm_max.push_back(static_cast<float>(swapped.highest));
      result.base_split_norm.push_back(static_cast<float>(here.base_split_norm()));
      result.not_finite += here.not_finite();
      if (l == 0) result.counts.push_back(here.samples());
      if (any_late && !is_late(p)) continue;
      base_sum += here.base_norm_sum();
      finetuned_sum += here.finetuned_norm_sum();
      norm_tokens += here.samples();
    }
    result.base_norm.push_back(static_cast<float>(base_sum / static_cast<double>(norm_tokens)));
    result.finetuned_norm.push_back(static_cast<float>(finetuned_sum / static_cast<double>(norm_tokens)));
  }
  return result;
}

}  // namespace deltascope
