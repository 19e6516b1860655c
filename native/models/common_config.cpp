#include <cmath>

#include "models/family.h"
#include "ops/rotary.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxVocab = int64_t{1} << 24;

/// rope_type "default", "linear" or "llama3"; `scaling` is rope_parameters or rope_scaling.
void scale_frequencies(ConfigReader& scaling, const std::string& type, std::vector<float>& frequencies) {
  if (type == "default") return;
  if (type == "linear") {
    const double factor = scaling.real("factor", 0);
    for (float& frequency : frequencies) frequency = static_cast<float>(frequency / factor);
  } else if (type == "llama3") {
    const double low = scaling.real("low_freq_factor", 0), high = scaling.real("high_freq_factor", 0);
    if (!(high > low)) scaling.fail("high_freq_factor", "a number above low_freq_factor");
    scale_llama3(frequencies, scaling.real("factor", 0), low, high,
                 scaling.real("original_max_position_embeddings", 0));
  } else {
    scaling.unsupported(scaling.has("rope_type") ? "rope_type" : "type", "default, linear, llama3");
  }
}

}  // namespace

std::vector<float> read_rotary(ConfigReader& config, int64_t head_dim, double default_theta) {
  double theta = config.real_or("rope_theta", 0, default_theta);
  auto parameters = config.object("rope_parameters");
  auto scaling = config.object("rope_scaling");
  if (parameters && parameters->has("rope_theta")) {
    const double inner = parameters->real("rope_theta", 0);
    if (config.has("rope_theta") && inner != theta)
      config.fail("rope_theta", "the value of rope_parameters.rope_theta");
    theta = inner;
  }
  std::vector<float> frequencies = rotary_frequencies(theta, head_dim);
  // transformers 5 may write both spellings; the newer one wins there too.
  if (auto& source = parameters ? parameters : scaling) {
    const std::string type = source->string_or("rope_type", source->string_or("type", "default"));
    scale_frequencies(*source, type, frequencies);
    if (source->has("partial_rotary_factor") && source->real("partial_rotary_factor", 0) != 1.0) {
      source->unsupported("partial_rotary_factor", "1");
    }
    if (type == "llama3" || type == "linear")
      source->ignore({"rope_theta", "factor", "original_max_position_embeddings"});
    source->ignore({"rope_theta", "rope_type", "type"});
    for (const std::string& key : source->unread()) {
      // Everything in here is about the rotation; a field that is not understood is not passed over.
      throw Error(Code::model_unsupported,
                  source->file() + ": " + key + " is not supported with rope_type " + type,
                  {{"file", source->file()}, {"field", key}});
    }
  }
  return frequencies;
}

void read_common(ConfigReader& config, ModelSpec& spec) {
  spec.layers = config.integer("num_hidden_layers", 1, 4096);
  spec.d_model = config.integer("hidden_size", 1, kMaxWidth);
  spec.d_mlp = config.integer("intermediate_size", 1, kMaxWidth);
  spec.heads = config.integer("num_attention_heads", 1, 65536);
  spec.kv_heads = config.integer_or("num_key_value_heads", 1, 65536, spec.heads);
  spec.vocab_size = config.integer("vocab_size", 1, kMaxVocab);
  spec.norm_eps = static_cast<float>(config.real("rms_norm_eps", 0));
  if (spec.heads % spec.kv_heads != 0) {
    config.fail("num_key_value_heads",
                "a divisor of num_attention_heads (" + std::to_string(spec.heads) + ")");
  }
  if (!config.has("head_dim") && spec.d_model % spec.heads != 0) {
    config.fail("num_attention_heads",
                "a divisor of hidden_size (" + std::to_string(spec.d_model) + "), or a head_dim");
  }
  spec.head_dim = config.integer_or("head_dim", 2, 65536, spec.d_model / spec.heads);
  if (spec.head_dim % 2 != 0) config.fail("head_dim", "an even number");
  spec.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.head_dim)));
  const std::string activation = config.string_or("hidden_act", "silu");
  if (activation != "silu") config.unsupported("hidden_act", "silu");
  spec.tied_head = config.boolean_or("tie_word_embeddings", false);
  spec.rotary = read_rotary(config, spec.head_dim, 10000.0);
  spec.blocks.assign(static_cast<size_t>(spec.layers), BlockSpec{});
}

}  // namespace deltascope
