#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "format/config_reader.h"
#include "models/model_spec.h"

namespace deltascope {

/// A family of architectures: one file that turns config.json into a ModelSpec, and one line in registry.cpp.
struct Family {
  std::string_view name;
  std::string_view title;  // as documentation lists it
  std::vector<std::string_view> architectures;  // config.json's `architectures[0]`
  std::vector<std::string_view> model_types;    // its `model_type`, by which transformers chooses the class
  /// Reads what the family needs. Throws INVALID_CONFIG or MODEL_UNSUPPORTED.
  void (*read)(ConfigReader& config, ModelSpec& spec);
};

extern const Family kLlama;
extern const Family kMistral;
extern const Family kQwen2;
extern const Family kQwen3;
extern const Family kGemma2;
extern const Family kGemma3;
extern const Family kGemma3Multimodal;
extern const Family kPhi3;
extern const Family kOlmo2;
extern const Family kQwen3Moe;
extern const Family kGpt2;

/// All families, in the order the documentation lists them.
std::span<const Family* const> families();

/// Reads config.json of a checkpoint folder. Throws FILE_NOT_FOUND, FILE_UNREADABLE and what parse_model_spec
/// throws.
ModelSpec read_model_spec(const std::string& folder);

/// Reads the text of a config.json: finds the family, lets it read, and refuses every key left over that is
/// known to change the maths. Pure, so that a fuzzer can call it; `where` is named in errors. Throws
/// INVALID_CONFIG, MODEL_UNSUPPORTED.
ModelSpec parse_model_spec(std::string_view text, const std::string& where);

/// Refuses a `model_type` that is none of these; a config may leave it out. Throws INVALID_CONFIG.
void require_model_type(ConfigReader& config, const std::vector<std::string_view>& known);

/// Refuses every key left over that is known to change the maths, and notes the ones it does not know.
void refuse_unread(ConfigReader& config, ModelSpec& spec);

/// What a family's configuration class fills in for a field that config.json leaves out; 0: the field is
/// required.
struct Defaults {
  int64_t heads = 0;
  int64_t kv_heads = 0;  // 0: as many as heads
  int64_t head_dim = 0;  // 0: hidden_size / heads
  int64_t vocab_size = 0;
  double norm_eps = 0;
  double rope_theta = 10000;
  bool tied_head = false;
};

/// Sizes, heads, norm epsilon, attention scale: the fields that all Llama-like configs share.
void read_sizes(ConfigReader& config, ModelSpec& spec, const Defaults& defaults = {});

/// read_sizes, silu, and one rotary table.
void read_common(ConfigReader& config, ModelSpec& spec, const Defaults& defaults = {});

/// What a rotary table is made from beside its own parameters.
struct RotaryContext {
  int64_t head_dim = 0;
  double theta = 10000;              // where the parameters name none
  int64_t max_positions = 0;         // max_position_embeddings; 0: not given
  int64_t original_positions = 0;    // original_max_position_embeddings outside the parameters; 0: not given
  bool partial = false;              // whether partial_rotary_factor may turn a part of a head only
  double partial_factor = 1;         // where the parameters name none
};

/// The fields of a config that its rotary tables depend on.
RotaryContext read_rotary_context(ConfigReader& config, int64_t head_dim, double default_theta);

/// The one rotary table from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (4).
RotaryTable read_rotary(ConfigReader& config, const RotaryContext& context);

/// A table from one set of parameters: rope_theta, rope_type and what it needs; all of them must be understood.
RotaryTable read_rotary_parameters(ConfigReader& parameters, const RotaryContext& context);

/// Windows of the blocks that `layer_types` lists as sliding_attention; false when there is no such list.
bool read_layer_types(ConfigReader& config, ModelSpec& spec, int64_t window);

/// Windows as Qwen has them: only when use_sliding_window is on, and then by layer_types or from
/// max_window_layers.
void read_qwen_windows(ConfigReader& config, ModelSpec& spec);

}  // namespace deltascope
