#include "readings/principal_components.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/errors.h"
#include "models/activations.h"
#include "models/forward.h"
#include "readings/pair.h"

namespace deltascope {
namespace {

constexpr int64_t kNodesPerWave = 1 << 13;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double dot(const double* x, const double* y, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += x[i] * y[i];
  return sum;
}

/// Products of all pairs of rows of x, [rows, rows].
Eigen::MatrixXd gram(const std::vector<double>& x, int64_t rows, int64_t width, const Job& job) {
  Eigen::MatrixXd result(rows, rows);
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < rows; ++i) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    for (int64_t j = 0; j <= i; ++j) result(i, j) = result(j, i) = dot(&x[static_cast<size_t>(i * width)], &x[static_cast<size_t>(j * width)], width);
  }
  job.throw_if_cancelled();
  return result;
}

}  // namespace

Components components_of(const std::vector<float>& rows, const std::vector<int64_t>& counts, int64_t d, int64_t components,
                         const Job& job) {
  const auto distinct = static_cast<int64_t>(counts.size());
  Components result;
  for (const int64_t count : counts) result.samples += count;
  const auto n = static_cast<double>(result.samples);
  std::vector<double> mean(static_cast<size_t>(d));
  double squares = 0;
  for (int64_t r = 0; r < distinct; ++r) {
    const auto count = static_cast<double>(counts[static_cast<size_t>(r)]);
    for (int64_t j = 0; j < d; ++j) {
      const double value = rows[static_cast<size_t>(r * d + j)];
      mean[static_cast<size_t>(j)] += count * value;
      squares += count * value * value;
    }
  }
  double mean_square = 0;
  for (double& value : mean) {
    value /= n;
    mean_square += value * value;
  }
  result.mean_share = squares > 0 ? mean_square / (squares / n) : kNaN;

  // Rows of the smaller side: centred samples times sqrt(count), or their dimensions.
  const bool by_sample = distinct < d;
  const int64_t side = by_sample ? distinct : d, width = by_sample ? d : distinct;
  std::vector<double> x(static_cast<size_t>(side * width));
  for (int64_t r = 0; r < distinct; ++r) {
    const double weight = std::sqrt(static_cast<double>(counts[static_cast<size_t>(r)]));
    for (int64_t j = 0; j < d; ++j) {
      const double value = weight * (rows[static_cast<size_t>(r * d + j)] - mean[static_cast<size_t>(j)]);
      x[static_cast<size_t>(by_sample ? r * d + j : j * distinct + r)] = value;
    }
  }
  const Eigen::MatrixXd products = gram(x, side, width, job);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(products);
  if (solver.info() != Eigen::Success)
    throw Error(Code::invalid_argument, "the covariance of the diffs has no decomposition: it is not finite", {{"field", "tokens"}});
  job.throw_if_cancelled();
  const Eigen::VectorXd& values = solver.eigenvalues();  // ascending
  double sum = 0, sum_of_squares = 0;
  for (int64_t i = 0; i < side; ++i) {
    const double variance = std::max(0.0, values(i)) / (n - 1);
    sum += variance;
    sum_of_squares += variance * variance;
  }
  result.total = sum;
  result.participation_ratio = sum_of_squares > 0 ? sum * sum / sum_of_squares : kNaN;
  // No more directions than the samples span.
  const int64_t kept = std::min({components, side, distinct - 1});
  for (int64_t c = 0; c < kept; ++c) {
    const int64_t at = side - 1 - c;
    std::vector<double> direction(static_cast<size_t>(d));
    for (int64_t s = 0; s < side; ++s) {
      const double weight = solver.eigenvectors()(s, at);
      if (!by_sample) {
        direction[static_cast<size_t>(s)] = weight;
        continue;
      }
      for (int64_t j = 0; j < d; ++j) direction[static_cast<size_t>(j)] += weight * x[static_cast<size_t>(s * d + j)];
    }
    double square = 0;
    for (const double value : direction) square += value * value;
    // What is left of a variance of zero is rounding, without a direction.
    if (!(values(at) > values(side - 1) * 1e-12) || square == 0) break;
    const auto largest = *std::max_element(direction.begin(), direction.end(),
                                           [](double a, double b) { return std::fabs(a) < std::fabs(b); });
    const double scale = (largest < 0 ? -1 : 1) / std::sqrt(square);
    for (const double value : direction) result.directions.push_back(static_cast<float>(value * scale));
    result.explained.push_back(values(at) / (n - 1));
  }
  return result;
}

std::vector<Components> principal_components(const Model& base, const Model& finetuned, const TokenBatch& tokens,
                                             const ComponentsRequest& request, Job& job) {
  const int64_t d = base.spec().d_model;
  require_built_alike(base, finetuned);
  require_distinct("layer", {request.layer}, base.spec().layers);
  require_distinct("positions", request.positions, int64_t{1} << 20);
  if (request.components < 1 || request.components > d) {
    throw Error(Code::invalid_argument,
                "components is " + std::to_string(request.components) + "; a whole number from 1 to " + std::to_string(d) +
                    " is expected",
                {{"field", "components"}});
  }
  const int64_t context = std::min(base.spec().prefix_context(), finetuned.spec().prefix_context());
  const int64_t last = *std::max_element(request.positions.begin(), request.positions.end());
  const OwnedBatch owned = cut(tokens, last + 1, context);
  const TokenBatch batch = owned.view();
  for (const Model* model : {&base, &finetuned}) {
    require_known_tokens(*model, batch);
    require_positions(*model, batch);
  }
  const auto P = request.positions.size();
  std::vector<std::vector<float>> rows(P);
  std::vector<std::vector<int64_t>> counts(P);
  Forward forward({&base, &finetuned});
  const auto trees = plan_trees(batch, kNodesPerWave, context, job);
  int64_t work = 0, done = 0;
  for (const PrefixTree& tree : trees) work += tree.nodes() * (request.layer + 1) * 2;
  for (const PrefixTree& tree : trees) {
    std::vector<int64_t> through(static_cast<size_t>(tree.nodes()));
    for (const int32_t leaf : tree.leaf) ++through[static_cast<size_t>(leaf)];
    for (size_t node = through.size(); node-- > 0;) {
      if (tree.parent[node] >= 0) through[static_cast<size_t>(tree.parent[node])] += through[node];
    }
    const std::vector<int64_t> wanted = {request.layer};
    Pass pass;
    pass.on_nodes_done = [&](int64_t nodes) {
      done += nodes;
      if (job.on_progress) job.on_progress(done, work);
    };
    forward.run(
        tree, wanted,
        [&](int64_t, std::span<const float* const> streams) {
          for (int64_t node = 0; node < tree.nodes(); ++node) {
            const auto slot = std::find(request.positions.begin(), request.positions.end(),
                                        tree.position[static_cast<size_t>(node)]);
            if (slot == request.positions.end()) continue;
            const auto p = static_cast<size_t>(slot - request.positions.begin());
            counts[p].push_back(through[static_cast<size_t>(node)]);
            for (int64_t j = 0; j < d; ++j) rows[p].push_back(streams[1][node * d + j] - streams[0][node * d + j]);
          }
        },
        job, pass);
  }
  std::vector<Components> result;
  for (size_t p = 0; p < P; ++p) {
    int64_t samples = 0;
    for (const int64_t count : counts[p]) samples += count;
    if (samples < 2) {
      throw Error(Code::invalid_argument,
                  std::to_string(samples) + " texts reach position " + std::to_string(request.positions[p]) +
                      "; two at least are needed",
                  {{"field", "positions"}});
    }
    const auto wrong = std::find_if(rows[p].begin(), rows[p].end(), [](float x) { return !std::isfinite(x); });
    if (wrong != rows[p].end()) {
      throw Error(Code::invalid_argument,
                  "a diff at position " + std::to_string(request.positions[p]) + " is not finite; it has no components",
                  {{"field", "positions"}});
    }
    result.push_back(components_of(rows[p], counts[p], d, request.components, job));
  }
  return result;
}

}  // namespace deltascope
