#include "readings/patchscope.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <string>

#include "core/dtype.h"
#include "core/errors.h"
#include "models/activations.h"
#include "models/head.h"
#include "readings/intervention.h"

namespace deltascope {
namespace {

constexpr int64_t kNodesPerPass = 8192;

[[noreturn]] void fail(const std::string& message, const char* field) {
  throw Error(Code::invalid_argument, message, {{"field", field}});
}

void require_request(const Model& model, const float* vectors, int64_t rows, const PatchscopeRequest& request) {
  const ModelSpec& spec = model.spec();
  require_distinct("layer", {request.layer}, spec.layers);
  if (request.prompts.sequences() == 0) fail("there is no prompt to patch", "prompts");
  for (int64_t i = 0; i < request.prompts.sequences(); ++i) {
    const auto length = static_cast<int64_t>(request.prompts.sequence(i).size());
    if (length == 0) fail("prompt " + std::to_string(i) + " has no tokens", "prompts");
    const int64_t most = std::min(spec.prefix_context(), spec.max_positions > 0 ? spec.max_positions : INT64_MAX);
    if (length > most) {
      fail("prompt " + std::to_string(i) + " has " + std::to_string(length) + " tokens; the model's context is " +
               std::to_string(most),
           "prompts");
    }
  }
  require_known_tokens(model, request.prompts);
  require_positions(model, request.prompts);
  const auto in_vocabulary = [&](int64_t value, int64_t low, const char* field) {
    if (value >= low && value <= spec.vocab_size) return;
    fail(std::string(field) + " is " + std::to_string(value) + "; a whole number from 1 to " +
             std::to_string(spec.vocab_size) + " is expected",
         field);
  };
  in_vocabulary(request.k, 1, "k");
  in_vocabulary(request.intersection, 0, "intersection");
  if (request.scales.empty()) fail("there is no scale", "scales");
  for (const float scale : request.scales) {
    if (!std::isfinite(scale)) fail("scales hold a value that is not finite", "scales");
  }
  if (!(request.norm >= 0) || !std::isfinite(request.norm)) fail("norm must be a finite number above 0", "norm");
  for (int64_t i = 0; i < rows * spec.d_model; ++i) {
    if (!std::isfinite(vectors[i])) fail("vector " + std::to_string(i / spec.d_model) + " holds a value that is not finite", "vectors");
  }
}

/// What is patched in: [rows · scales, d_model].
std::vector<float> scaled_vectors(const float* vectors, int64_t rows, int64_t d, const PatchscopeRequest& request) {
  const auto scales = static_cast<int64_t>(request.scales.size());
  const auto rounded = [&](float x) { return request.compat ? round_to_bf16(x) : x; };
  std::vector<float> result(static_cast<size_t>(rows * scales * d)), vector(static_cast<size_t>(d));
  for (int64_t row = 0; row < rows; ++row) {
    std::transform(vectors + row * d, vectors + (row + 1) * d, vector.begin(), rounded);
    if (request.norm > 0) {
      double square = 0;
      for (const float value : vector) square += static_cast<double>(value) * value;
      if (square == 0) fail("vector " + std::to_string(row) + " is zero and cannot be rescaled", "vectors");
      if (request.compat) {
        const float length = rounded(static_cast<float>(std::sqrt(square)));
        for (float& value : vector) value = rounded(rounded(value / length) * rounded(request.norm));
      } else {
        for (float& value : vector) value = static_cast<float>(value * (request.norm / std::sqrt(square)));
      }
    }
    for (int64_t s = 0; s < scales; ++s) {
      const float scale = rounded(request.scales[static_cast<size_t>(s)]);
      float* out = result.data() + (row * scales + s) * d;
      for (int64_t j = 0; j < d; ++j) {
        out[j] = rounded(scale * vector[static_cast<size_t>(j)]);
        if (!std::isfinite(out[j])) fail("vector " + std::to_string(row) + " is too large to be scaled", "vectors");
      }
    }
  }
  return result;
}

/// Reads rows [lists · prompts, d_model] out: list by list, the prompts of one after another.
void read_out(const Model& model, const float* rows, int64_t lists, const PatchscopeRequest& request,
              std::vector<LikelyToken>* out, Job& job) {
  const Averaging how = {request.prompts.sequences(), request.k, request.intersection, request.compat};
  auto read = model.unembedding().averages(rows, lists, how, job);
  std::move(read.begin(), read.end(), out);
}

/// All prompts without their last tokens, and the residual stream of these after the patched block.
struct Prefixes {
  PrefixTree tree;
  std::vector<int32_t> end;  // [prompts]: the node before the patched token; −1: there is none
  std::vector<float> residuals;
};

Prefixes compute_prefixes(const Model& model, const PatchscopeRequest& request, Job& job) {
  Prefixes result;
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < request.prompts.sequences(); ++i) {
    const auto prompt = request.prompts.sequence(i);
    ids.insert(ids.end(), prompt.begin(), prompt.end() - 1);
    offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  result.end.assign(static_cast<size_t>(request.prompts.sequences()), -1);
  if (ids.empty()) return result;
  result.tree = plan_trees({ids, offsets}, INT32_MAX).front();
  for (size_t i = 0; i < result.tree.sequence.size(); ++i)
    result.end[static_cast<size_t>(result.tree.sequence[i])] = result.tree.leaf[i];
  if (request.layer == model.spec().layers - 1) {  // nothing attends to them any more
    result.residuals.resize(static_cast<size_t>(result.tree.nodes() * model.spec().d_model));
  } else {
    result.residuals = std::move(residuals_after({&model}, result.tree, request.layer, job).front());
  }
  return result;
}

/// The prefixes with one more token for each of `lists` patched vectors on each of the prompts.
PrefixTree with_patched(const Prefixes& prefixes, const TokenBatch& prompts, int64_t lists) {
  PrefixTree tree = prefixes.tree;
  for (int64_t i = 0; i < lists; ++i) {
    for (int64_t p = 0; p < prompts.sequences(); ++p) {
      tree.token.push_back(prompts.sequence(p).back());
      tree.parent.push_back(prefixes.end[static_cast<size_t>(p)]);
      tree.position.push_back(static_cast<int32_t>(prompts.sequence(p).size()) - 1);
    }
  }
  return tree;
}

}  // namespace

std::vector<std::vector<LikelyToken>> patchscope(const Model& model, const float* vectors, int64_t rows,
                                                     const PatchscopeRequest& request, Job& job) {
  require_request(model, vectors, rows, request);
  const int64_t d = model.spec().d_model, prompts = request.prompts.sequences();
  const std::vector<float> patched = scaled_vectors(vectors, rows, d, request);
  const auto lists = static_cast<int64_t>(patched.size()) / d;
  std::vector<std::vector<LikelyToken>> result(static_cast<size_t>(lists));
  const Prefixes prefixes = compute_prefixes(model, request, job);
  const int64_t together = std::max<int64_t>(1, kNodesPerPass / prompts);
  for (int64_t from = 0; from < lists; from += together) {
    const int64_t here = std::min(together, lists - from);
    const PrefixTree tree = with_patched(prefixes, request.prompts, here);
    std::vector<float> residuals = prefixes.residuals;
    residuals.resize(static_cast<size_t>(tree.nodes() * d));
    float* own = residuals.data() + prefixes.residuals.size();
    for (int64_t i = 0; i < here; ++i) {
      for (int64_t p = 0; p < prompts; ++p)
        std::copy_n(patched.data() + (from + i) * d, d, own + (i * prompts + p) * d);
    }
    residuals = finish(model, tree, std::move(residuals), request.layer, job);
    read_out(model, residuals.data() + prefixes.residuals.size(), here, request, result.data() + from, job);
    if (job.on_progress) job.on_progress(from + here, lists);
  }
  return result;
}

std::vector<std::vector<LikelyToken>> patchscope_reference(const Model& model, const float* vectors, int64_t rows,
                                                               const PatchscopeRequest& request, Job& job) {
  require_request(model, vectors, rows, request);
  const int64_t d = model.spec().d_model, prompts = request.prompts.sequences();
  const std::vector<float> patched = scaled_vectors(vectors, rows, d, request);
  const auto lists = static_cast<int64_t>(patched.size()) / d;
  std::vector<std::vector<LikelyToken>> result(static_cast<size_t>(lists));
  std::vector<float> ends(static_cast<size_t>(lists * prompts * d));
  for (int64_t p = 0; p < prompts; ++p) {
    const auto prompt = request.prompts.sequence(p);
    const auto length = static_cast<int64_t>(prompt.size());
    // A chain of its own for every list: nothing is shared.
    PrefixTree tree;
    for (int64_t i = 0; i < lists; ++i) {
      for (int64_t t = 0; t < length; ++t) {
        tree.token.push_back(prompt[static_cast<size_t>(t)]);
        tree.parent.push_back(t == 0 ? -1 : static_cast<int32_t>(tree.nodes() - 2));
        tree.position.push_back(static_cast<int32_t>(t));
      }
    }
    std::vector<float> residuals = std::move(residuals_after({&model}, tree, request.layer, job).front());
    for (int64_t i = 0; i < lists; ++i)
      std::copy_n(patched.data() + i * d, d, residuals.data() + ((i + 1) * length - 1) * d);
    residuals = finish(model, tree, std::move(residuals), request.layer, job);
    constexpr int64_t kRows = 384;
    for (int64_t from = 0; from < tree.nodes(); from += kRows)
      unembed(model, residuals.data() + from * d, std::min(kRows, tree.nodes() - from), [](float*, int64_t, int32_t) {}, job);
    for (int64_t i = 0; i < lists; ++i)
      std::copy_n(residuals.data() + ((i + 1) * length - 1) * d, d, ends.data() + (i * prompts + p) * d);
  }
  read_out(model, ends.data(), lists, request, result.data(), job);
  return result;
}

}  // namespace deltascope
