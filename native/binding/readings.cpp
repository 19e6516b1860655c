#include "binding/readings.h"

#include <cmath>

#include "binding/guarded.h"
#include "readings/causal_effect.h"
#include "readings/cross_entropy.h"
#include "readings/embedding.h"
#include "readings/kl_divergence.h"
#include "readings/nearest.h"
#include "readings/patchscope.h"
#include "readings/principal_components.h"

namespace deltascope {
namespace {

Napi::Number number(Napi::Env env, int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

/// An intervention and what keeps its source alive.
struct OwnedIntervention {
  Intervention intervention;
  std::shared_ptr<const Model> source;
};

OwnedIntervention read_intervention(const Arguments& a, size_t first) {
  OwnedIntervention owned;
  const std::string kind = a.text(first);
  owned.intervention.kind = kind == "add"      ? Intervention::Kind::add
                            : kind == "remove" ? Intervention::Kind::remove
                            : kind == "swap"   ? Intervention::Kind::swap
                                               : Intervention::Kind::none;
  owned.intervention.layer = a.integer(first + 1, 0, int64_t{1} << 31);
  owned.intervention.vector = a.floats(first + 2);
  if (kind == "swap") owned.source = a.model(first + 3).model;
  owned.intervention.source = owned.source.get();
  return owned;
}

}  // namespace

Napi::Value patchscope_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle handle = a.model(0);
    const int64_t d = handle.model->spec().d_model;
    std::vector<float> vectors = read_vectors(a, 1, d), scales = a.floats(5);
    PatchscopeRequest request;
    request.layer = a.integer(4, 0, int64_t{1} << 31);
    request.k = a.integer(6, 0, int64_t{1} << 31);
    request.intersection = a.integer(7, 0, int64_t{1} << 31);
    request.norm = static_cast<float>(a.number(8));
    request.compat = a.boolean(9);
    const bool whole = a.boolean(10);
    require_array("the readings", vectors.size() / static_cast<size_t>(d) * scales.size(), static_cast<uint64_t>(request.k),
                  sizeof(double));
    require_array("the patched vectors", vectors.size(), scales.size(), sizeof(float));
    return queue.submit(
        info.Env(), JobQueue::Lane::compute, a.job(11), info[12], handle.threads,
        [model = handle.model, vectors = std::move(vectors), scales = std::move(scales), prompts = read_tokens(a, 2, 3),
         request, whole, d](Job& job) -> JobQueue::Settle {
          PatchscopeRequest own = request;
          own.scales = scales;
          own.prompts = prompts.view();
          const auto rows = static_cast<int64_t>(vectors.size()) / d;
          auto lists = std::make_shared<std::vector<std::vector<LikelyToken>>>(
              whole ? patchscope_reference(*model, vectors.data(), rows, own, job)
                    : patchscope(*model, vectors.data(), rows, own, job));
          return [lists](Napi::Env env) -> Napi::Value {
            std::vector<int32_t> ids;
            std::vector<double> probabilities, lengths;
            for (const auto& list : *lists) {
              lengths.push_back(static_cast<double>(list.size()));
              for (const LikelyToken& token : list) {
                ids.push_back(token.id);
                probabilities.push_back(token.probability);
              }
            }
            Napi::Object result = Napi::Object::New(env);
            result.Set("ids", take(env, std::move(ids)));
            result.Set("probabilities", take(env, std::move(probabilities)));
            result.Set("lengths", take(env, std::move(lengths)));
            return result;
          };
        });
  });
}

Napi::Value cross_entropy_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle handle = a.model(0);
    return queue.submit(info.Env(), JobQueue::Lane::compute, a.job(7), info[8], handle.threads,
                        [model = handle.model, tokens = read_tokens(a, 1, 2),
                         owned = read_intervention(a, 3)](Job& job) -> JobQueue::Settle {
                          auto losses = std::make_shared<std::vector<std::vector<double>>>(
                              cross_entropy(*model, tokens.view(), owned.intervention, job));
                          return [losses](Napi::Env env) { return take_all(env, std::move(*losses)); };
                        });
  });
}

Napi::Value causal_effect_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle base = a.model(0), finetuned = a.model(1);
    CausalRequest request;
    request.layer = a.integer(4, 0, int64_t{1} << 31);
    request.vectors = a.floats(5);
    for (const int64_t effect : a.integers(6)) {
      if (effect < 0 || effect > 3) throw Error(Code::invalid_argument, "an effect is 0, 1, 2 or 3");
      request.effects.push_back(static_cast<Effect>(effect));
    }
    for (const int32_t value : a.ids(7)) request.mask.push_back(value != 0);
    OwnedTokens tokens = read_tokens(a, 2, 3);
    require_array("the sums", request.vectors.size() / static_cast<size_t>(base.model->spec().d_model) * request.effects.size(),
                  longest_sequence(tokens), 2 * sizeof(double));
    return queue.submit(info.Env(), JobQueue::Lane::compute, a.job(8), info[9], base.threads,
                        [base = base.model, finetuned = finetuned.model, tokens = std::move(tokens),
                         request = std::move(request)](Job& job) -> JobQueue::Settle {
                          auto r = std::make_shared<CausalResult>(causal_effect(*base, *finetuned, tokens.view(), request, job));
                          return [r](Napi::Env env) -> Napi::Value {
                            Napi::Object result = Napi::Object::New(env);
                            result.Set("columns", number(env, r->columns));
                            result.Set("counts", take(env, std::vector<double>(r->counts.begin(), r->counts.end())));
                            result.Set("base", take(env, std::move(r->base)));
                            result.Set("finetuned", take(env, std::move(r->finetuned)));
                            result.Set("intervened", take(env, std::move(r->intervened)));
                            return result;
                          };
                        });
  });
}

Napi::Value kl_divergence_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle base = a.model(0), finetuned = a.model(1);
    return queue.submit(info.Env(), JobQueue::Lane::compute, a.job(8), info[9], base.threads,
                        [base = base.model, finetuned = finetuned.model, tokens = read_tokens(a, 2, 3),
                         owned = read_intervention(a, 4)](Job& job) -> JobQueue::Settle {
                          auto r = std::make_shared<KlResult>(
                              kl_divergence(*base, *finetuned, tokens.view(), owned.intervention, job));
                          return [r](Napi::Env env) -> Napi::Value {
                            Napi::Object result = Napi::Object::New(env);
                            result.Set("perToken", take_all(env, std::move(r->per_token)));
                            result.Set("vocabulary", number(env, r->vocabulary));
                            return result;
                          };
                        });
  });
}

Napi::Value embed_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle handle = a.model(0);
    const Pooling pooling = a.text(3) == "mean" ? Pooling::mean : Pooling::last;
    return queue.submit(info.Env(), JobQueue::Lane::compute, a.job(4), info[5], handle.threads,
                        [model = handle.model, tokens = read_tokens(a, 1, 2), pooling](Job& job) -> JobQueue::Settle {
                          auto rows = std::make_shared<std::vector<std::vector<float>>>(
                              embed_texts(*model, tokens.view(), pooling, job));
                          return [rows](Napi::Env env) { return take_all(env, std::move(*rows)); };
                        });
  });
}

Napi::Value principal_components_call(JobQueue& queue, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) {
    const ModelHandle base = a.model(0), finetuned = a.model(1);
    const ComponentsRequest request{a.integer(4, 0, int64_t{1} << 31), a.integers(5), a.integer(6, 0, int64_t{1} << 31)};
    return queue.submit(
        info.Env(), JobQueue::Lane::compute, a.job(7), info[8], base.threads,
        [base = base.model, finetuned = finetuned.model, tokens = read_tokens(a, 2, 3), request](Job& job) -> JobQueue::Settle {
          auto r = std::make_shared<std::vector<Components>>(
              principal_components(*base, *finetuned, tokens.view(), request, job));
          return [r](Napi::Env env) -> Napi::Value {
            Napi::Array result = Napi::Array::New(env, r->size());
            for (uint32_t i = 0; i < r->size(); ++i) {
              Components& own = (*r)[i];
              Napi::Object entry = Napi::Object::New(env);
              entry.Set("samples", number(env, own.samples));
              entry.Set("explained", take(env, std::move(own.explained)));
              entry.Set("directions", take(env, std::move(own.directions)));
              entry.Set("total", Napi::Number::New(env, own.total));
              entry.Set("participationRatio", Napi::Number::New(env, own.participation_ratio));
              entry.Set("meanShare", Napi::Number::New(env, own.mean_share));
              result.Set(i, entry);
            }
            return result;
          };
        });
  });
}

Napi::Value nearest_call(JobQueue&, const Napi::CallbackInfo& info) {
  return guarded(info, [&](const Arguments& a) -> Napi::Value {
    const std::vector<float> query = a.floats(0), vectors = a.floats(1);
    const int64_t k = a.integer(2, 0, int64_t{1} << 31);
    if (query.empty() || vectors.size() % query.size() != 0)
      throw Error(Code::invalid_argument, "vectors of the width of the query are expected");
    const auto width = static_cast<int64_t>(query.size());
    const auto found = nearest(query.data(), vectors.data(), static_cast<int64_t>(vectors.size()) / width, width, k);
    std::vector<double> indices, cosines;
    for (const Neighbour& one : found) {
      indices.push_back(static_cast<double>(one.index));
      cosines.push_back(one.cosine);
    }
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("indices", take(info.Env(), std::move(indices)));
    result.Set("cosines", take(info.Env(), std::move(cosines)));
    return result;
  });
}

}  // namespace deltascope
