#include "readings/intervention.h"

#include <cmath>
#include <string>

#include "core/errors.h"
#include "models/forward.h"
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

std::vector<float> finish(const Model& model, const PrefixTree& tree, std::vector<float> residuals, int64_t layer, Job& job,
                          const std::function<void(int64_t nodes)>& on_nodes_done) {
  const int64_t last = model.spec().layers - 1;
  if (layer == last) return residuals;
  Forward forward({&model});
  Pass pass;
  pass.first_layer = layer + 1;
  pass.residuals = {residuals.data()};
  pass.on_nodes_done = on_nodes_done;
  const std::vector<int64_t> wanted = {last};
  forward.run(
      tree, wanted,
      [&](int64_t, std::span<const float* const> rows) {
        std::copy_n(rows[0], residuals.size(), residuals.data());
      },
      job, pass);
  return residuals;
}

std::vector<float> final_residuals(const Model& model, const PrefixTree& tree, const Intervention& what, Job& job,
                                   const std::function<void(int64_t nodes)>& on_nodes_done) {
  const bool swap = what.kind == Intervention::Kind::swap, none = what.kind == Intervention::Kind::none;
  const int64_t layer = none ? model.spec().layers - 1 : what.layer;
  const auto size = static_cast<size_t>(tree.nodes() * model.spec().d_model);
  std::vector<float> rows(size), source(swap ? size : 0);
  {
    Forward forward(swap ? std::vector<const Model*>{&model, what.source} : std::vector<const Model*>{&model});
    Pass pass;
    pass.on_nodes_done = on_nodes_done;
    const std::vector<int64_t> wanted = {layer};
    forward.run(
        tree, wanted,
        [&](int64_t, std::span<const float* const> streams) {
          std::copy_n(streams[0], size, rows.data());
          if (swap) std::copy_n(streams[1], size, source.data());
        },
        job, pass);
  }
  intervene(what, rows.data(), source.data(), tree.nodes(), model.spec().d_model);
  return finish(model, tree, std::move(rows), layer, job, on_nodes_done);
}

}  // namespace deltascope
