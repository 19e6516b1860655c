#include "models/open_model.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "models/forward.h"
#include "models/head.h"

namespace deltascope {
namespace {

constexpr int64_t kSequences = 4, kLength = 4;

/// Distance and size, summed in float64.
struct Change {
  double difference = 0, size = 0;

  void add(const float* base, const float* adapted, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const double b = base[i], d = static_cast<double>(adapted[i]) - b;
      difference += d * d;
      size += b * b;
    }
  }
  bool moved() const { return !(difference == 0); }  // what overflows has moved
  double relative() const { return std::sqrt(difference) / std::sqrt(size); }
};

/// The row of the embedding that the adapter changes most, so that one of a few tokens is sure to be changed; 0 when it
/// leaves the embedding alone.
int64_t most_changed_token(const Model& base, const Model& adapted, const Job& job) {
  const int64_t d = base.spec().d_model, vocabulary = base.spec().vocab_size;
  int64_t token = 0;
  double most = 0;
  const auto consider = [&](int64_t candidate, double change) {
    if (change > most) most = change, token = candidate;
  };
  if (const EmbeddingUpdate* update = adapted.adapter()->embedding()) {
    for (int64_t t = 0; t < vocabulary; ++t) {
      job.throw_if_cancelled();
      double squares = 0;
      for (int64_t i = 0; i < update->rank; ++i) {
        const double value = update->a[static_cast<size_t>(t * update->rank + i)];
        squares += value * value;
      }
      consider(t, squares);
    }
  } else if (adapted.embedding().file != &adapted.checkpoint()) {
    constexpr int64_t kRows = 1024;
    std::vector<float> a(static_cast<size_t>(kRows * d)), b(a.size());
    for (int64_t first = 0; first < vocabulary; first += kRows) {
      job.throw_if_cancelled();
      const int64_t rows = std::min(kRows, vocabulary - first);
      read_weights(base.embedding(), first * d, rows * d, a.data());
      read_weights(adapted.embedding(), first * d, rows * d, b.data());
      for (int64_t row = 0; row < rows; ++row) {
        Change change;
        change.add(a.data() + row * d, b.data() + row * d, d);
        consider(first + row, change.difference);
      }
    }
  }
  return token;
}

/// A few short texts of tokens spread over the vocabulary.
PrefixTree canary_tokens(const Model& base, const Model& adapted, const Job& job) {
  const int64_t vocabulary = base.spec().vocab_size;
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < kSequences * kLength; ++i) {
    ids.push_back(static_cast<int32_t>(vocabulary * i / (kSequences * kLength)));
    if ((i + 1) % kLength == 0) offsets.push_back(i + 1);
  }
  ids.front() = static_cast<int32_t>(most_changed_token(base, adapted, job));
  return plan_trees({ids, offsets}, INT32_MAX, INT64_MAX, job).front();
}

Change head_change(const Model& base, const Model& adapted, std::span<const float> base_rows,
                   std::span<const float> adapted_rows, Job& job) {
  const int64_t d = base.spec().d_model, rows = static_cast<int64_t>(base_rows.size()) / d;
  std::vector<float> expected;
  unembed(base, base_rows.data(), rows,
          [&](const float* logits, int64_t count, int32_t) { expected.insert(expected.end(), logits, logits + rows * count); },
          job);
  Change change;
  int64_t at = 0;
  unembed(adapted, adapted_rows.data(), rows,
          [&](const float* logits, int64_t count, int32_t) {
            change.add(expected.data() + at, logits, rows * count);
            at += rows * count;
          },
          job);
  return change;
}

Canary find_movement(const Model& base, const Model& adapted, Job& job) {
  const Adapter& adapter = *adapted.adapter();
  const int64_t d = base.spec().d_model;
  const PrefixTree tree = canary_tokens(base, adapted, job);
  std::vector<float> b(static_cast<size_t>(tree.nodes() * d)), a(b.size());
  NotFinite ignored;
  embed(base, tree, b.data(), ignored, job);
  embed(adapted, tree, a.data(), ignored, job);
  Change change;
  change.add(b.data(), a.data(), tree.nodes() * d);
  if (change.moved()) return {"embedding", change.relative()};

  Forward forward({&base, &adapted});
  const auto after = [&](int64_t layer) {
    change = {};
    forward.run(
        tree, std::vector<int64_t>{layer},
        [&](int64_t, std::span<const float* const> residuals) {
          change.add(residuals[0], residuals[1], tree.nodes() * d);
          b.assign(residuals[0], residuals[0] + tree.nodes() * d);
          a.assign(residuals[1], residuals[1] + tree.nodes() * d);
        },
        job);
    return change.moved();
  };
  for (const int64_t layer : {adapter.first_layer(), adapter.last_layer()}) {
    if (layer >= 0 && layer < base.spec().layers && after(layer)) {
      return {"layer " + std::to_string(layer), change.relative()};
    }
  }
  // What is left can only be the final norm and the head. They are read alike whatever the rows.
  change = head_change(base, adapted, b, a, job);
  if (change.moved()) return {"head", change.relative()};
  const std::string& path = adapter.file().path();
  throw Error(Code::adapter_inert,
              path + ": the adapter changes nothing: its updates are too small to move any activation of " +
                  std::to_string(tree.nodes()) + " tokens",
              {{"file", path}});
}

}  // namespace

OpenedModel open_model(const std::string& folder, const std::string& adapter, Precision precision, Job& job,
                       const std::shared_ptr<const Backend>& backend) {
  OpenedModel opened{std::make_shared<const Model>(folder, adapter, precision, job, backend), std::nullopt};
  if (adapter.empty()) return opened;
  const Model base(folder, "", precision, job, backend);
  opened.canary = find_movement(base, *opened.model, job);
  return opened;
}

}  // namespace deltascope
