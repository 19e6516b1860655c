#include "models/prefix_tree.h"

#include <algorithm>
#include <set>

#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

struct Batch {
  explicit Batch(const std::vector<std::vector<int32_t>>& sequences) {
    for (const auto& sequence : sequences) {
      ids.insert(ids.end(), sequence.begin(), sequence.end());
      offsets.push_back(static_cast<int64_t>(ids.size()));
    }
  }
  TokenBatch view() const { return {ids, offsets}; }
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
};

/// The tokens along the i-th sequence's path.
std::vector<int32_t> tokens_of(const PrefixTree& tree, size_t i) {
  std::vector<int32_t> tokens;
  for (const int32_t node : tree.path(i)) tokens.push_back(tree.token[static_cast<size_t>(node)]);
  return tokens;
}

}  // namespace

TEST_CASE("shared prefixes become one node, and parents come first") {
  const std::vector<std::vector<int32_t>> sequences = {{5, 1, 2}, {5, 1}, {5, 1, 3, 4}, {6}, {5, 1, 2}};
  const Batch batch(sequences);
  const auto trees = plan_trees(batch.view(), 1000);
  REQUIRE(trees.size() == 1);
  const PrefixTree& tree = trees[0];
  CHECK(tree.nodes() == 6);
  CHECK(count_unique_prefixes(batch.view()) == 6);
  for (int64_t node = 0; node < tree.nodes(); ++node) {
    const int32_t parent = tree.parent[static_cast<size_t>(node)];
    CHECK(parent < node);
    CHECK(tree.position[static_cast<size_t>(node)] ==
          (parent < 0 ? 0 : tree.position[static_cast<size_t>(parent)] + 1));
  }
  REQUIRE(tree.sequence.size() == 5);
  for (size_t i = 0; i < 5; ++i)
    CHECK(tokens_of(tree, i) == sequences[static_cast<size_t>(tree.sequence[i])]);
}

TEST_CASE("random batches: every sequence is in exactly one tree with its own tokens, within the limit") {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<int32_t>> sequences(1 + random() % 40);
    for (auto& sequence : sequences) {
      sequence.resize(random() % 6);
      for (auto& token : sequence) token = static_cast<int32_t>(random() % 3);
    }
    std::set<std::vector<int32_t>> prefixes;
    for (const auto& sequence : sequences) {
      for (size_t n = 1; n <= sequence.size(); ++n)
        prefixes.insert({sequence.begin(), sequence.begin() + static_cast<int64_t>(n)});
    }
    const Batch batch(sequences);
    CHECK(count_unique_prefixes(batch.view()) == static_cast<int64_t>(prefixes.size()));
    const int64_t limit = 1 + static_cast<int64_t>(random() % 20);
    std::vector<int> seen(sequences.size());
    for (const PrefixTree& tree : plan_trees(batch.view(), limit)) {
      CHECK((tree.nodes() <= limit || tree.sequence.size() == 1));
      for (size_t i = 0; i < tree.sequence.size(); ++i) {
        const auto index = static_cast<size_t>(tree.sequence[i]);
        ++seen[index];
        CHECK(tokens_of(tree, i) == sequences[index]);
      }
    }
    for (size_t i = 0; i < sequences.size(); ++i) CHECK(seen[i] == (sequences[i].empty() ? 0 : 1));
  }
}

TEST_CASE("planning stops when its job is cancelled") {
  const Batch batch({{1, 2}, {1, 3}});
  Job job;
  CHECK(plan_trees(batch.view(), 100, INT64_MAX, job).size() == 1);
  job.cancelled = true;
  CHECK(code_of([&] { plan_trees(batch.view(), 100, INT64_MAX, job); }) == "CANCELLED");
  CHECK(code_of([&] { count_unique_prefixes(batch.view(), INT64_MAX, job); }) == "CANCELLED");
}
