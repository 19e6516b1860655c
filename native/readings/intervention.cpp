#include "readings/intervention.h"

#include <cmath>
#include <string>

#include "core/errors.h"
#include "readings/pair.h"

namespace deltascope {
namespace {

double dot(const float* x, const double* direction, int64_t width) {
  double sum = 0;
  for (int64_t j = 0; j < width; ++j) sum += x[j] * direction[j];
  return sum;
}

std::vector<double> unit(const std::vector<float>& vector) {
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * value;
  std::vector<double> direction(vector.begin(), vector.end());
  for (double& value : direction) value /= std::sqrt(square);
  return direction;
}

}  // namespace

void require_intervention(const Model& model, const Intervention& what) {
  if (what.kind == Intervention::Kind::none) return;
  const auto fail = [](const std::string& message, const char* field) {
    throw Error(Code::invalid_argument, message, {{"field", field}});
  };
  const ModelSpec& spec = model.spec();
  if (what.layer < 0 || what.layer >= spec.layers) {
    fail("layer " + std::to_string(what.layer) + " is not there; the model has layers 0 to " +
             std::to_string(spec.layers - 1),
         "layer");
  }
  if (static_cast<int64_t>(what.vector.size()) != spec.d_model) {
    fail("the vector has " + std::to_string(what.vector.size()) + " values, the model has d_model " +
             std::to_string(spec.d_model),
         "vector");
  }
  double square = 0;
  for (const float value : what.vector) square += static_cast<double>(value) * value;
  if (!std::isfinite(square)) fail("the vector holds a value that is not finite", "vector");
  if (square == 0 && what.kind != Intervention::Kind::add) fail("the vector is zero: it has no direction", "vector");
  if (what.kind == Intervention::Kind::swap) require_built_alike(model, *what.source);
}

void intervene(const Intervention& what, float* rows, const float* source, int64_t count, int64_t d) {
  if (what.kind == Intervention::Kind::none) return;
  const bool add = what.kind == Intervention::Kind::add, swap = what.kind == Intervention::Kind::swap;
  const std::vector<double> direction = add ? std::vector<double>() : unit(what.vector);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < count; ++row) {
    float* x = rows + row * d;
    if (add) {
      for (int64_t j = 0; j < d; ++j) x[j] += what.vector[static_cast<size_t>(j)];
      continue;
    }
    const double change =
        (swap ? dot(source + row * d, direction.data(), d) : 0.0) - dot(x, direction.data(), d);
    for (int64_t j = 0; j < d; ++j) x[j] = static_cast<float>(x[j] + change * direction[static_cast<size_t>(j)]);
  }
}

std::vector<std::vector<float>> residuals_after(const std::vector<const Model*>& models, const PrefixTree& tree,
                                                int64_t layer, Job& job, const Pass& pass) {
  std::vector<std::vector<float>> result(models.size());
  Forward forward(models);
  const std::vector<int64_t> wanted = {layer};
  forward.run(
      tree, wanted,
      [&](int64_t, std::span<const float* const> streams) {
        for (size_t m = 0; m < models.size(); ++m)
          result[m].assign(streams[m], streams[m] + tree.nodes() * models[m]->spec().d_model);
      },
      job, pass);
  return result;
}

std::vector<float> finish(const Model& model, const PrefixTree& tree, std::vector<float> residuals, int64_t layer, Job& job) {
  const int64_t last = model.spec().layers - 1;
  if (layer == last) return residuals;
  Pass pass;
  pass.first_layer = layer + 1;
  pass.residuals = {residuals.data()};
  return std::move(residuals_after({&model}, tree, last, job, pass).front());
}

std::vector<float> final_residuals(const Model& model, const PrefixTree& tree, const Intervention& what, Job& job) {
  const bool swap = what.kind == Intervention::Kind::swap, none = what.kind == Intervention::Kind::none;
  const int64_t layer = none ? model.spec().layers - 1 : what.layer;
  std::vector<const Model*> models = {&model};
  if (swap) models.push_back(what.source);
  std::vector<std::vector<float>> rows = residuals_after(models, tree, layer, job);
  intervene(what, rows[0].data(), swap ? rows[1].data() : nullptr, tree.nodes(), model.spec().d_model);
  rows.resize(1);  // the source's are not needed any more
  return finish(model, tree, std::move(rows[0]), layer, job);
}

}  // namespace deltascope
