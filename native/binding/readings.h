#pragma once

#include <napi.h>

#include "binding/job_queue.h"

namespace deltascope {

// The addon's functions that read vectors and models. Lists of whole numbers travel as Float64Array; `tokens` are ids and
// offsets; `intervention` is a kind ("none", "add", "remove", "swap"), a layer, a vector and a source model or null.

/// (model, vectors, tokens, layer, scales, k, intersection, norm or 0, compat, whole prompts, job, progress)
/// → { ids, probabilities, lengths }: lists one after another, lengths of each of [vectors · scales]
Napi::Value patchscope_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (model, tokens, intervention, job, progress) → [sequence] Float64Array of nats
Napi::Value cross_entropy_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (base, finetuned, tokens, layer, vectors, effects, mask, job, progress) → CausalResult
Napi::Value causal_effect_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (base, finetuned, tokens, intervention, job, progress) → { perToken: [sequence] Float64Array, vocabulary }
Napi::Value kl_divergence_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (model, tokens, "last" or "mean", job, progress) → [sequence] Float32Array
Napi::Value embed_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (base, finetuned, tokens, layer, positions, components, job, progress) → [position] Components
Napi::Value principal_components_call(JobQueue& queue, const Napi::CallbackInfo& info);

/// (query, vectors, k) → { indices: Float64Array, cosines: Float64Array }, at once
Napi::Value nearest_call(JobQueue& queue, const Napi::CallbackInfo& info);

}  // namespace deltascope
