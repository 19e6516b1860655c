// The engine's functions for JavaScript. Private: src/native is the only caller, users meet the façade there.
#include <napi.h>
#include <omp.h>

#include "binding/arguments.h"
#include "binding/guarded.h"
#include "binding/job_queue.h"
#include "binding/readings.h"
#include "core/device.h"
#include "decode/generate.h"
#include "diff/paired_diff.h"
#include "models/activations.h"
#include "models/family.h"
#include "models/head.h"
#include "models/open_model.h"
#include "ops/matmul.h"

namespace deltascope {
namespace {

Napi::Object describe_model(Napi::Env env, const OpenedModel& opened) {
  const Model& model = *opened.model;
  const ModelSpec& spec = model.spec();
  const auto number = [&](int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); };
  Napi::Object result = Napi::Object::New(env);
  result.Set("architecture", spec.architecture);
  result.Set("family", spec.family);
  result.Set("layers", number(spec.layers));
  result.Set("dModel", number(spec.d_model));
  result.Set("dMlp", number(spec.d_mlp));
  result.Set("heads", number(spec.heads));
  result.Set("kvHeads", number(spec.kv_heads));
  result.Set("headDim", number(spec.head_dim));
  result.Set("vocabSize", number(spec.vocab_size));
  result.Set("parameters", number(model.parameters()));
  result.Set("dtype", model.stored_dtype());
  result.Set("computeDtype", name(model.precision()));
  result.Set("device", model.backend().device().kind);
  result.Set("tiedHead", Napi::Boolean::New(env, spec.tied_head));
  Napi::Array unknown = Napi::Array::New(env);
  for (const std::string& key : spec.unknown_config_keys) unknown.Set(unknown.Length(), key);
  result.Set("unknownConfigKeys", unknown);
  if (const Adapter* adapter = model.adapter()) {
    Napi::Object described = Napi::Object::New(env);
    Napi::Array modules = Napi::Array::New(env);
    for (const AdaptedModule& module : adapter->modules()) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("module", module.name);
      entry.Set("changeNorm", Napi::Number::New(env, module.change));
      entry.Set("replaced", Napi::Boolean::New(env, module.replaced));
      modules.Set(modules.Length(), entry);
    }
    described.Set("parameters", number(adapter->parameters()));
    described.Set("modules", modules);
    described.Set("foreignTensors", number(adapter->foreign_tensors()));
    if (opened.canary) {
      Napi::Object canary = Napi::Object::New(env);
      canary.Set("movedAt", opened.canary->moved_at);
      canary.Set("relativeChange", Napi::Number::New(env, opened.canary->relative_change));
      described.Set("canary", canary);
    } else {
      described.Set("canary", env.Null());
    }
    described.Set("baseName", adapter->config().base_name);
    result.Set("adapter", described);
  } else {
    result.Set("adapter", env.Null());
  }
  return result;
}

Napi::Value ranked(Napi::Env env, const std::vector<LensReading>& readings,
                   std::vector<std::pair<RankedId, double>> LensReading::*end) {
  std::vector<int32_t> ids;
  std::vector<double> probabilities;
  for (const LensReading& reading : readings) {
    for (const auto& [entry, probability] : reading.*end) {
      ids.push_back(entry.id);
      probabilities.push_back(probability);
    }
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("ids", take(env, std::move(ids)));
  result.Set("probabilities", take(env, std::move(probabilities)));
  return result;
}

/// One per environment: a worker thread has its own.
class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    env.AddCleanupHook([this] { queue_.stop(); });
    DefineAddon(exports, {
                             InstanceMethod("engine", &Addon::engine),
                             InstanceMethod("newJob", &Addon::new_job),
                             InstanceMethod("cancel", &Addon::cancel),
                             InstanceMethod("stop", &Addon::stop),
                             InstanceMethod("open", &Addon::open),
                             InstanceMethod("close", &Addon::close),
                             InstanceMethod("residuals", &Addon::residuals_of),
                             InstanceMethod("logits", &Addon::logits_of),
                             InstanceMethod("logitLens", &Addon::lens),
                             InstanceMethod("diff", &Addon::diff),
                             InstanceMethod("patchscope", &Addon::call<patchscope_call>),
                             InstanceMethod("crossEntropy", &Addon::call<cross_entropy_call>),
                             InstanceMethod("causalEffect", &Addon::call<causal_effect_call>),
                             InstanceMethod("klDivergence", &Addon::call<kl_divergence_call>),
                             InstanceMethod("embed", &Addon::call<embed_call>),
                             InstanceMethod("principalComponents", &Addon::call<principal_components_call>),
                             InstanceMethod("nearest", &Addon::call<nearest_call>),
                             InstanceMethod("generate", &Addon::generate_texts),
                         });
  }

 private:
  /// What this build is and where it can run.
  Napi::Value engine(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Object result = Napi::Object::New(env);
    Napi::Array devices = Napi::Array::New(env), described = Napi::Array::New(env);
    const auto add = [&](const Device& device) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("kind", device.kind);
      entry.Set("name", device.name);
      devices.Set(devices.Length(), entry);
    };
    add({"cpu", matmul_backend()});
    for (const Device& device : cuda_devices()) add(device);
    for (const Family* family : families()) {
      Napi::Array architectures = Napi::Array::New(env);
      for (const std::string_view architecture : family->architectures)
        architectures.Set(architectures.Length(), std::string(architecture));
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("family", std::string(family->name));
      entry.Set("title", std::string(family->title));
      entry.Set("architectures", architectures);
      described.Set(described.Length(), entry);
    }
    result.Set("devices", devices);
    result.Set("cudaAbsence", cuda_absence());
    result.Set("families", described);
    result.Set("threads", Napi::Number::New(env, omp_get_num_procs()));
    return result;
  }

  Napi::Value new_job(const Napi::CallbackInfo& info) { return wrap(info.Env(), std::make_shared<Job>()); }

  Napi::Value cancel(const Napi::CallbackInfo& info) {
    queue_.cancel(Arguments(info).job(0));
    return info.Env().Undefined();
  }

  /// For the end of the process, which does not wait for this environment to be cleaned up: the exit handlers
  /// of libraries would take away what a job uses. Drops all jobs; no promise is settled.
  Napi::Value stop(const Napi::CallbackInfo& info) {
    queue_.stop();
    return info.Env().Undefined();
  }

  /// (folder, adapter or "", "float32" or "bfloat16", "auto", "cpu" or "cuda", threads, job) → { handle, spec }
  Napi::Value open(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const std::string folder = a.text(0), adapter = a.text(1);
      const Precision precision = a.text(2) == "bfloat16" ? Precision::bfloat16 : Precision::float32;
      const std::string device = a.text(3);
      const int threads = static_cast<int>(a.integer(4, 1, 4096));
      return queue_.submit(
          info.Env(), JobQueue::Lane::open, a.job(5), info.Env().Undefined(), threads,
          [=, this](Job& job) -> JobQueue::Settle {
            if (queue_.computing()) omp_set_num_threads(1);  // the other cores are taken
            const OpenedModel opened = open_model(folder, adapter, precision, job, open_backend(device));
            return [=](Napi::Env env) {
              Napi::Object result = Napi::Object::New(env);
              result.Set("handle",
                         wrap(env, std::make_unique<ModelHandle>(ModelHandle{opened.model, threads})));
              result.Set("spec", describe_model(env, opened));
              return result;
            };
          });
    });
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    Arguments(info).model(0).model.reset();
    return info.Env().Undefined();
  }

  /// (model, ids, offsets, layers, job, progress) → [layer][sequence] Float32Array
  Napi::Value residuals_of(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const ModelHandle handle = a.model(0);
      OwnedTokens tokens = read_tokens(a, 1, 2);
      require_array("the activations of the longest text", longest_sequence(tokens),
                    static_cast<uint64_t>(handle.model->spec().d_model), sizeof(float));
      return queue_.submit(info.Env(), JobQueue::Lane::compute, a.job(4), info[5], handle.threads,
                           [model = handle.model, tokens = std::move(tokens),
                            layers = a.integers(3)](Job& job) -> JobQueue::Settle {
                             auto rows = std::make_shared<std::vector<std::vector<std::vector<float>>>>(
                                 residuals(*model, tokens.view(), layers, job));
                             return [rows](Napi::Env env) -> Napi::Value {
                               Napi::Array result = Napi::Array::New(env, rows->size());
                               for (uint32_t l = 0; l < rows->size(); ++l)
                                 result.Set(l, take_all(env, std::move((*rows)[l])));
                               return result;
                             };
                           });
    });
  }

  /// (model, ids, offsets, job, progress) → [sequence] Float32Array
  Napi::Value logits_of(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const ModelHandle handle = a.model(0);
      OwnedTokens tokens = read_tokens(a, 1, 2);
      require_array("the logits of the longest text", longest_sequence(tokens),
                    static_cast<uint64_t>(handle.model->spec().vocab_size), sizeof(float));
      return queue_.submit(
          info.Env(), JobQueue::Lane::compute, a.job(3), info[4], handle.threads,
          [model = handle.model, tokens = std::move(tokens)](Job& job) -> JobQueue::Settle {
            auto rows = std::make_shared<std::vector<std::vector<float>>>(logits(*model, tokens.view(), job));
            return [rows](Napi::Env env) -> Napi::Value { return take_all(env, std::move(*rows)); };
          });
    });
  }

  /// (model, vectors, k, job, progress) → { top, bottom }, each { ids, probabilities } of [vectors · k]
  Napi::Value lens(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const ModelHandle handle = a.model(0);
      const ModelSpec& spec = handle.model->spec();
      const int64_t k = a.integer(2, 1, spec.vocab_size);
      std::vector<float> vectors = read_vectors(a, 1, spec.d_model);
      const auto rows = static_cast<int64_t>(vectors.size()) / spec.d_model;
      require_array("the readings", static_cast<uint64_t>(rows), static_cast<uint64_t>(k), sizeof(double));
      return queue_.submit(
          info.Env(), JobQueue::Lane::compute, a.job(3), info[4], handle.threads,
          [model = handle.model, vectors = std::move(vectors), rows, k](Job& job) -> JobQueue::Settle {
            auto readings =
                std::make_shared<std::vector<LensReading>>(logit_lens(*model, vectors.data(), rows, k, job));
            return [readings](Napi::Env env) -> Napi::Value {
              Napi::Object result = Napi::Object::New(env);
              result.Set("top", ranked(env, *readings, &LensReading::top));
              result.Set("bottom", ranked(env, *readings, &LensReading::bottom));
              return result;
            };
          });
    });
  }

  /// (base, finetuned, ids, offsets, layers, positions, budget, compat, job, progress) → DiffResult
  Napi::Value diff(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const ModelHandle base = a.model(0), finetuned = a.model(1);
      const DiffRequest request{a.integers(4), a.integers(5), a.integer(6, 0, int64_t{1} << 52), a.boolean(7)};
      require_array("the means", uint64_t{request.layers.size()} * request.positions.size(),
                    static_cast<uint64_t>(base.model->spec().d_model), sizeof(float));
      return queue_.submit(info.Env(), JobQueue::Lane::compute, a.job(8), info[9], base.threads,
                           [base = base.model, finetuned = finetuned.model, tokens = read_tokens(a, 2, 3),
                            request](Job& job) -> JobQueue::Settle {
                             auto r = std::make_shared<DiffResult>(
                                 paired_diff(*base, *finetuned, tokens.view(), request, job));
                             return [r](Napi::Env env) -> Napi::Value { return describe_diff(env, *r); };
                           });
    });
  }

  /// (model, ids, offsets, steered layer or −1, vector, strengths, [temperature, topP, repetitionPenalty],
  /// [topK, seed, maxNewTokens, stopRepetition, memoryBudget], stop, job, progress, tokens)
  /// → { ids, offsets, finishes: 0 stop, 1 length, 2 repetition }
  Napi::Value generate_texts(const Napi::CallbackInfo& info) {
    return guarded(info, [&](const Arguments& a) {
      const ModelHandle handle = a.model(0);
      auto tokens = std::make_shared<const OwnedTokens>(read_tokens(a, 1, 2));
      const std::vector<double> sampling = a.doubles(6);
      const std::vector<int64_t> numbers = a.integers(7);
      if (sampling.size() != 3 || numbers.size() != 5) throw Error(Code::invalid_argument, "settings are missing");
      GenerateRequest request;
      request.prompts = tokens->view();
      request.steering = {a.integer(3, -1, INT32_MAX), a.floats(4)};
      request.strengths = a.floats(5);
      request.sampling = {sampling[0], numbers[0], sampling[1], sampling[2]};
      request.seed = static_cast<uint64_t>(numbers[1]);
      request.max_new_tokens = numbers[2];
      request.stop_repetition = numbers[3];
      request.memory_budget = numbers[4];
      request.stop = a.ids(8);
      return queue_.submit(
          info.Env(), JobQueue::Lane::compute, a.job(9), info[10], handle.threads,
          [model = handle.model, tokens, request = std::move(request)](Job& job) -> JobQueue::Settle {
            std::vector<int32_t> ids, finishes;
            std::vector<double> offsets = {0};
            for (const GeneratedText& text : generate(*model, request, job)) {
              ids.insert(ids.end(), text.ids.begin(), text.ids.end());
              offsets.push_back(static_cast<double>(ids.size()));
              finishes.push_back(static_cast<int32_t>(text.finish));
            }
            return [ids, offsets, finishes](Napi::Env env) -> Napi::Value {
              Napi::Object result = Napi::Object::New(env);
              result.Set("ids", take(env, ids));
              result.Set("offsets", take(env, offsets));
              result.Set("finishes", take(env, finishes));
              return result;
            };
          },
          info[11]);
    });
  }

  static Napi::Value describe_diff(Napi::Env env, DiffResult& r) {
    const auto number = [&](int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); };
    Napi::Object result = Napi::Object::New(env);
    result.Set("meanDiff", take(env, std::move(r.mean_diff)));
    result.Set("baseMean", take(env, std::move(r.base_mean)));
    result.Set("finetunedMean", take(env, std::move(r.finetuned_mean)));
    result.Set("baseNorm", take(env, std::move(r.base_norm)));
    result.Set("finetunedNorm", take(env, std::move(r.finetuned_norm)));
    result.Set("standardErrorNorm", take(env, std::move(r.standard_error_norm)));
    result.Set("splitHalfCosine", take(env, std::move(r.split_half_cosine)));
    result.Set("swapNormMean", take(env, std::move(r.swap_norm_mean)));
    result.Set("swapNormDeviation", take(env, std::move(r.swap_norm_deviation)));
    result.Set("swapNormMax", take(env, std::move(r.swap_norm_max)));
    result.Set("baseSplitNorm", take(env, std::move(r.base_split_norm)));
    result.Set("swaps", number(r.swaps));
    result.Set("counts", take(env, std::vector<double>(r.counts.begin(), r.counts.end())));
    result.Set("samples", number(r.samples));
    result.Set("uniquePrefixes", number(r.unique_prefixes));
    result.Set("waves", number(r.waves));
    result.Set("baseWeightsNotFinite", number(r.base_weights_not_finite));
    result.Set("finetunedWeightsNotFinite", number(r.finetuned_weights_not_finite));
    result.Set("notFinite", number(r.not_finite));
    result.Set("sharedWeights", Napi::Boolean::New(env, r.shared_weights));
    return result;
  }

  template <Napi::Value (*function)(JobQueue&, const Napi::CallbackInfo&)>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return function(queue_, info);
  }

  JobQueue queue_;
};

}  // namespace

NODE_API_NAMED_ADDON(addon, Addon)

}  // namespace deltascope
