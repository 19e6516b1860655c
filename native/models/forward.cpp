#include "models/forward.h"

#include <omp.h>

#include <algorithm>
#include <string>

#include "core/errors.h"
#include "models/backend.h"
#include "models/layer_weights.h"
#include "ops/convert.h"

namespace deltascope {

namespace {

/// The blocks that a group of models has in common: all below the first one an adapter touches.
int64_t count_joined(const std::vector<const Model*>& models) {
  int64_t layers = models.front()->spec().layers;
  for (const Model* model : models) {
    const Adapter* adapter = model->adapter();
    if (adapter == nullptr) continue;
    layers = std::min(layers, adapter->first_layer());
    const Weight& embedding = model->embedding();
    if (adapter->embedding() != nullptr || embedding.file != &model->checkpoint()) layers = 0;
    if (model->positions() && model->positions().file != &model->checkpoint()) layers = 0;
  }
  return layers;
}

}  // namespace

Forward::Forward(std::vector<const Model*> models) : models_(std::move(models)) {
  const Model& first = *models_.front();
  shares_weights_ = std::all_of(models_.begin(), models_.end(),
                                [&](const Model* model) { return model->shares_blocks(first); });
  // Files may be shared and configs not (links): only one and the same folder is computed as one.
  const bool same_folder =
      std::all_of(models_.begin(), models_.end(), [&](const Model* model) {
        return model->checkpoint().path() == first.checkpoint().path();
      });
  joined_layers_ = models_.size() > 1 && shares_weights_ && same_folder ? count_joined(models_) : 0;
  for (const Model* model : models_) {
    if (&model->backend() == &first.backend()) continue;
    throw Error(Code::invalid_argument,
                "the models are on different devices: " + first.backend().device().kind + " and " +
                    model->backend().device().kind,
                {{"field", "device"}, {"expected", first.backend().device().kind}, {"found", model->backend().device().kind}});
  }
  blocks_ = first.backend().tree_blocks(models_);
}

Forward::~Forward() = default;

int64_t Forward::fixed_bytes() const { return blocks_->fixed_bytes(); }
int64_t Forward::bytes_per_node(int64_t longest) const { return blocks_->bytes_per_node(longest); }
int64_t Forward::default_budget() const { return blocks_->default_budget(); }

int64_t NotFinite::total() const {
  int64_t sum = 0;
  for (const auto& entry : rows) sum += entry.second;
  for (const auto& entry : blocks) sum += entry.second;
  for (const auto& entry : experts) sum += entry.second;
  return sum;
}

void embed(const Model& model, const PrefixTree& tree, float* out, NotFinite& not_finite, const Job& job) {
  embed(model, tree, 0, tree.nodes(), out, not_finite, job);
}

void embed(const Model& model, const PrefixTree& tree, int64_t first, int64_t count, float* out, NotFinite& not_finite,
           const Job& job) {
  const ModelSpec& spec = model.spec();
  const int64_t width = spec.d_model;
  const EmbeddingUpdate* update = model.adapter() == nullptr ? nullptr : model.adapter()->embedding();
  const auto row_bytes = [&](const Weight& table) { return width * size_of(table.tensor->dtype); };
  const int64_t scratch_bytes = std::max(row_bytes(model.embedding()), model.positions() ? row_bytes(model.positions()) : 0);
  std::vector<uint8_t> raw(static_cast<size_t>(scratch_bytes * omp_get_max_threads()));
  std::vector<float> second(static_cast<size_t>(width * omp_get_max_threads()));
  bool ok = true;
  std::vector<int32_t> spoiled(static_cast<size_t>(2 * count));  // values of the token's row, of the position's
#pragma omp parallel for schedule(static) reduction(&& : ok)
  for (int64_t node = first; node < first + count; ++node) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    uint8_t* bytes = raw.data() + scratch_bytes * omp_get_thread_num();
    const auto gather = [&](const Weight& table, int32_t row, float* to, size_t which) {
      const auto length = static_cast<size_t>(row_bytes(table));
      if (!table.file->read(*table.tensor, static_cast<size_t>(row) * length, length, bytes)) return false;
      convert_to_f32({bytes, length}, table.tensor->dtype, to, width);
      spoiled[static_cast<size_t>(2 * (node - first)) + which] = static_cast<int32_t>(count_not_finite(to, width));
      return true;
    };
    const int32_t token = tree.token[static_cast<size_t>(node)];
    float* x = out + (node - first) * width;
    ok = gather(model.embedding(), token, x, 0) && ok;
    if (update != nullptr) {
      const float* a = &update->a[static_cast<size_t>(token * update->rank)];
      for (int64_t j = 0; j < width; ++j) {
        float sum = 0;
        for (int64_t i = 0; i < update->rank; ++i) sum += a[i] * update->b[static_cast<size_t>(j * update->rank + i)];
        x[j] += update->scale * sum;
      }
    }
    if (spec.embedding_scale != 1.0f) {
      for (int64_t j = 0; j < width; ++j) x[j] *= spec.embedding_scale;
    }
    if (model.positions()) {
      float* position = second.data() + width * omp_get_thread_num();
      ok = gather(model.positions(), tree.position[static_cast<size_t>(node)], position, 1) && ok;
      for (int64_t j = 0; j < width; ++j) x[j] += position[j];
    }
  }
  job.throw_if_cancelled();
  if (!ok) {
    model.require_unchanged();
    throw Error(Code::file_unreadable, "the embedding cannot be read to its end");
  }
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const size_t node = static_cast<size_t>(first) + i;
    if (spoiled[2 * i] > 0) not_finite.rows[tree.token[node]] = spoiled[2 * i];
    if (spoiled[2 * i + 1] > 0) not_finite.rows[-1 - int64_t{tree.position[node]}] = spoiled[2 * i + 1];
  }
}

void Forward::run(const PrefixTree& tree, std::span<const int64_t> layers, const LayerObserver& observe,
                  Job& job, const Pass& pass) {
  not_finite_.resize(models_.size());
  // Residuals that are handed in differ in ways that only the caller knows.
  const int64_t joined = pass.first_layer == 0 ? joined_layers_ : 0;
  blocks_->begin(tree);
  for (size_t m = 0; m < models_.size(); ++m) {
    models_[m]->require_unchanged();
    const int64_t d = models_[m]->spec().d_model;
    blocks_->enter(m, [&](int64_t first, int64_t count, float* to) {
      if (pass.first_layer == 0) {
        embed(*models_[m], tree, first, count, to, not_finite_[m], job);
      } else {
        std::copy_n(pass.residuals[m] + first * d, count * d, to);
      }
    });
  }
  const auto report = [&](int64_t nodes) {
    if (pass.on_nodes_done) pass.on_nodes_done(nodes);
  };
  size_t next = 0;
  for (int64_t layer = pass.first_layer; next < layers.size(); ++layer) {
    if (layer == joined && layer > 0) {  // from here on they differ
      for (size_t m = 1; m < models_.size(); ++m) blocks_->copy_first(m);
    }
    int64_t spoiled = 0;
    for (size_t m = 0; m < models_.size(); ++m) {
      if (m == 0 || !shares_weights_) {
        job.throw_if_cancelled();
        spoiled = blocks_->load(m, layer, job);
        // What comes next is read while this block computes.
        if (m + 1 < models_.size() && !shares_weights_) {
          prefetch_layer(*models_[m + 1], layer);
        } else if (layer < layers.back()) {
          prefetch_layer(*models_.front(), layer + 1);
        }
      }
      if (spoiled > 0) not_finite_[m].blocks[layer] = spoiled;
      if (m == 0 || layer >= joined) {
        blocks_->run(m, layer, not_finite_[m], job, report);
      } else {
        report(tree.nodes());
        not_finite_[m].experts = not_finite_[0].experts;  // computed as one so far
      }
      if (pass.on_keys_values) pass.on_keys_values(layer, m, blocks_->keys(), blocks_->values());
    }
    if (layers[next] == layer) {
      at_joined_layer_ = layer < joined;
      std::vector<const float*> views;
      for (size_t m = 0; m < models_.size() && pass.on_host; ++m) views.push_back(blocks_->residual(at_joined_layer_ ? 0 : m));
      observe(layer, views);
      ++next;
    }
  }
  for (const Model* model : models_) model->require_unchanged();
}

void Forward::add_moments(const PairSamples& samples, std::span<Moments> moments) {
  blocks_->add_moments(at_joined_layer_ ? 0 : 1, samples, moments);
}

}  // namespace deltascope
