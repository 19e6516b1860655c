// Gemma 3, the text model alone and inside the multimodal one: q/k norms, two rotary tables, one full block
// after several windowed ones. Source: transformers' Gemma3ForCausalLM and Gemma3ForConditionalGeneration.
#include "models/gemma_config.h"

namespace deltascope {
namespace {

constexpr double kGlobalTheta = 1e6, kLocalTheta = 1e4;
const std::vector<std::string_view> kTextTypes = {"gemma3_text"};

/// Table 0 for full attention, table 1 for windowed blocks.
void read_rotaries(ConfigReader& config, ModelSpec& spec) {
  const RotaryContext global = read_rotary_context(config, spec.head_dim, kGlobalTheta);
  RotaryContext local = global;
  local.theta = kLocalTheta;
  auto recent = config.object("rope_parameters");
  if (recent && (recent->has("full_attention") || recent->has("sliding_attention"))) {
    auto full = recent->object("full_attention"), sliding = recent->object("sliding_attention");
    if (!full) recent->fail("full_attention", "an object");
    if (!sliding) recent->fail("sliding_attention", "an object");
    spec.rotary = {read_rotary_parameters(*full, global), read_rotary_parameters(*sliding, local)};
    for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
      if (config.has(key)) config.fail(key, "nothing beside rope_parameters");
    }
    return;
  }
  const double local_theta = config.real_or("rope_local_base_freq", 0, kLocalTheta);
  spec.rotary = {read_rotary(config, global), {rotary_frequencies(local_theta, spec.head_dim)}};
}

void read_text(ConfigReader& config, ModelSpec& spec) {
  read_gemma(
      config, spec,
      {.heads = 8, .kv_heads = 4, .head_dim = 256, .vocab_size = 262208, .norm_eps = 1e-6, .tied_head = true},
      256);
  spec.qk_norm = QkNorm::head;
  spec.attention_softcap = 0;  // the class has the field and passes over it
  read_rotaries(config, spec);
  const int64_t window = config.integer_or("sliding_window", 1, int64_t{1} << 31, 4096);
  const int64_t named = config.integer_or("sliding_window_pattern", 1, 4096, 6);
  const int64_t pattern = config.integer_or("_sliding_window_pattern", 1, 4096, named);
  config.ignore({"cache_implementation"});
  if (!read_layer_types(config, spec, window)) {
    for (size_t i = 0; i < spec.blocks.size(); ++i) {
      spec.blocks[i].window = (static_cast<int64_t>(i) + 1) % pattern == 0 ? 0 : window;
    }
  }
  for (BlockSpec& block : spec.blocks) block.rotary = block.window > 0 ? 1 : 0;
}

void read_multimodal(ConfigReader& config, ModelSpec& spec) {
  auto text = config.object("text_config");
  if (!text) config.fail("text_config", "an object");
  require_model_type(*text, kTextTypes);
  read_text(*text, spec);
  spec.tied_head = config.boolean_or("tie_word_embeddings", spec.tied_head);
  spec.logit_softcap = 0;  // the multimodal class does not apply it
  spec.tensor_prefixes = {"model.language_model.", "language_model.model."};
  spec.head_names = {"lm_head", "language_model.lm_head"};
  spec.foreign_prefixes = {"model.vision_tower.", "model.multi_modal_projector.", "vision_tower.",
                           "multi_modal_projector."};
  config.ignore({"vision_config", "boi_token_index", "eoi_token_index", "image_token_index", "image_token_id",
                 "mm_tokens_per_image", "boi_token_id", "eoi_token_id"});
  refuse_unread(*text, spec);
}

}  // namespace

const Family kGemma3 = {"gemma3", "Gemma 3", {"Gemma3ForCausalLM"}, kTextTypes, read_text};
const Family kGemma3Multimodal = {
    "gemma3 (text of the multimodal model)", "Gemma 3, the text half of the multimodal model",
    {"Gemma3ForConditionalGeneration"}, {"gemma3"}, read_multimodal};

}  // namespace deltascope
