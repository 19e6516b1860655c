#include <algorithm>
#include <array>

#include "format/data_file.h"
#include "format/strict_json.h"
#include "models/family.h"

namespace deltascope {
namespace {

constexpr std::array kFamilies = {&kLlama,  &kMistral,          &kQwen2, &kQwen3, &kQwen3Moe, &kGemma2,
                                  &kGemma3, &kGemma3Multimodal, &kPhi3,  &kOlmo2, &kGpt2};

/// Without effect on a forward pass; old files hold settings for generation too. What is computed depends on the tensors'
/// own types, not on dtype.
// clang-format off
const std::vector<std::string_view> kHarmless = {
    "_attn_implementation_autoset", "_name_or_path", "_num_labels", "architectures", "attention_dropout", "auto_map",
    "bos_token_id", "chunk_size_feed_forward", "do_sample", "dtype", "early_stopping", "embd_pdrop", "eos_token_id", "id2label",
    "initializer_range", "is_decoder", "is_encoder_decoder", "label2id", "max_position_embeddings",
    "max_length", "min_length", "model_type", "no_repeat_ngram_size", "num_beams", "output_attentions", "output_hidden_states", "pad_token_id", "pretraining_tp",
    "problem_type", "resid_pdrop", "return_dict", "temperature", "task_specific_params", "tokenizer_class", "top_k", "top_p", "torch_dtype",
    "transformers_version", "unsloth_fixed", "unsloth_version", "use_bfloat16", "use_cache"};
// clang-format on

/// Settings of other families that change the maths. Present and not read by the family at hand: refused,
/// unless the value is the one that means "off".
// clang-format off
const std::vector<std::string_view> kChangesMaths = {
    "add_cross_attention", "alibi", "attention_chunk_size", "attention_multiplier",
    "attn_logit_softcapping", "attn_output_gate", "attn_temperature_tuning", "clip_qkv",
    "compression_config", "cross_attention_layers", "embedding_multiplier", "embedding_size",
    "expert_layer_period", "final_logit_softcapping", "full_attention_interval", "hidden_activation",
    "kv_lora_rank", "layer_norm_eps", "layer_norm_epsilon", "layer_types", "logit_scale", "logits_scaling",
    "mamba_d_state", "moe_intermediate_size", "mup_width_scale", "no_rope_layers", "norm_type",
    "num_experts", "num_local_experts", "original_max_position_embeddings", "parallel_attn", "partial_rotary_factor", "q_lora_rank",
    "qk_layernorm", "qkv_bias", "quantization_config", "query_pre_attn_scalar", "residual_multiplier",
    "rope_interleaved", "rope_local_base_freq", "rope_percent", "rotary_dim", "rotary_pct",
    "scale_attn_by_inverse_layer_idx", "scale_depth", "scale_emb", "sliding_window",
    "sliding_window_pattern", "swin_norm", "text_config", "token_type_embeddings",
    "use_bidirectional_attention", "use_mrope", "use_parallel_residual", "use_qk_norm",
    "use_sliding_window", "vision_config"};
// clang-format on

bool contains(const std::vector<std::string_view>& list, const std::string& key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

/// Whether a setting says "nothing special": false, 0, "", [] and {}, or the value that a plain model has.
bool is_off(const std::string& key, const nlohmann::json& value) {
  if (key == "layer_types" && value.is_array()) {
    return std::all_of(value.begin(), value.end(),
                       [](const auto& type) { return is_string(type, "full_attention"); });
  }
  if (key == "partial_rotary_factor" || key == "rotary_pct" || key == "rope_percent") return value == 1.0;
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         (value.is_number() && value.get<double>() == 0) ||
         ((value.is_string() || value.is_array() || value.is_object()) && value.empty());
}

std::string known_architectures() {
  std::vector<std::string_view> names;
  for (const Family* family : kFamilies)
    names.insert(names.end(), family->architectures.begin(), family->architectures.end());
  return listed(names);
}

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

void require_model_type(ConfigReader& config, const std::vector<std::string_view>& known) {
  if (config.has("model_type") && !contains(known, config.string("model_type"))) {
    config.fail("model_type", listed(known) + " (by its architecture)");
  }
}

void refuse_unread(ConfigReader& config, ModelSpec& spec) {
  config.ignore(kHarmless);
  for (const std::string& key : config.unread()) {
    if (!contains(kChangesMaths, key)) {
      spec.unknown_config_keys.push_back(config.field(key));
    } else if (!is_off(key, config.raw(key))) {
      config.unsupported(key, "leaving it out, or switching it off, for " + spec.architecture);
    }
  }
}

ModelSpec parse_model_spec(std::string_view text, const std::string& where) {
  ConfigReader config(parse_strict_json(text, Code::invalid_config, where), where, Code::invalid_config);
  const auto architectures = config.strings("architectures");
  if (architectures.size() != 1) config.fail("architectures", "a list with the one architecture");

  ModelSpec spec;
  spec.architecture = architectures.front();
  const auto serves = [&](const Family* family) {
    return contains(family->architectures, spec.architecture);
  };
  const auto family = std::find_if(kFamilies.begin(), kFamilies.end(), serves);
  if (family == kFamilies.end()) config.unsupported("architectures", known_architectures());
  require_model_type(config, (*family)->model_types);
  spec.family = (*family)->name;

  (*family)->read(config, spec);

  refuse_unread(config, spec);
  return spec;
}

ModelSpec read_model_spec(const std::string& folder) {
  if (!is_directory(folder))
    throw Error(Code::file_not_found, "no such folder: " + folder, {{"file", folder}});
  const std::string path = folder + "/config.json";
  return parse_model_spec(read_small_file(path, ConfigReader::kMaxBytes), path);
}

}  // namespace deltascope
