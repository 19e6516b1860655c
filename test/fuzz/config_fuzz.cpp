#include <algorithm>
#include <cmath>
#include <span>

#include "models/family.h"
#include "target.h"

namespace deltascope::fuzz {
namespace {

bool is_positive(float x) { return std::isfinite(x) && x > 0; }
bool is_cap(float x) { return x == 0 || is_positive(x); }

bool in_range(int64_t value, int64_t high) { return value >= 1 && value <= high; }

void check(const RotaryTable& table, int64_t head_dim) {
  const auto are_frequencies = [](std::span<const float> values) {
    return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x) && x >= 0; });
  };
  const size_t size = table.frequencies.size();
  require(in_range(static_cast<int64_t>(size), head_dim / 2), "a rotary table turns at most a head");
  require(table.beyond.empty() || table.beyond.size() == size, "longer texts turn as many values");
  require(are_frequencies(table.frequencies) && are_frequencies(table.beyond), "rotary frequencies are finite");
  require(is_positive(table.scale), "a rotation's factor is a positive float32");
  require(table.context >= 1, "a rotary table has a context");
  if (table.context == INT64_MAX) return;
  std::vector<float> scratch;
  for (const int64_t length : {table.context + 1, 1000 * table.context}) {
    const auto grown = table.for_length(length, scratch);
    require(grown.size() == size && are_frequencies(grown), "frequencies beyond the context are finite");
  }
}

/// What the forward pass takes for granted about a spec.
void check(const ModelSpec& spec) {
  require(in_range(spec.layers, 4096), "1 to 4,096 layers");
  require(in_range(spec.d_model, 1 << 20) && in_range(spec.d_mlp, 1 << 22), "widths of 1 to 2^20, 2^22 in the MLP");
  require(in_range(spec.heads, 65536) && in_range(spec.kv_heads, 65536), "1 to 65,536 heads");
  require(in_range(spec.vocab_size, 1 << 24), "a vocabulary of 1 to 2^24");
  require(spec.learned_positions >= 0 && spec.learned_positions <= 1 << 24, "at most 2^24 learned positions");
  require(spec.heads % spec.kv_heads == 0, "kv_heads divides heads");
  require(in_range(spec.head_dim, 1 << 20), "head_dim of 1 to 2^20");
  require(is_positive(spec.norm_eps), "norm_eps is a positive float32");
  require(is_cap(spec.attention_scale), "attention_scale is a positive float32, or every block's own");
  require(is_positive(spec.embedding_scale), "embedding_scale is a positive float32");
  require(is_cap(spec.attention_softcap) && is_cap(spec.logit_softcap), "a soft cap is 0 or a positive float32");
  for (const RotaryTable& table : spec.rotary) check(table, spec.head_dim);
  require(spec.blocks.size() == static_cast<size_t>(spec.layers), "one block a layer");
  for (const BlockSpec& block : spec.blocks) {
    require(block.window >= 0 && block.window <= int64_t{1} << 31, "windows of 0 to 2^31");
    require(spec.rotary.empty() || block.rotary < spec.rotary.size(), "blocks use tables that exist");
    require(is_positive(spec.attention_scale) || is_positive(block.attention_scale), "blocks have an attention scale");
    if (!block.experts) continue;
    require(in_range(spec.experts, 1 << 16) && in_range(spec.d_expert, 1 << 20), "1 to 65,536 experts of 1 to 2^20");
    require(spec.experts * spec.layers <= 1 << 18, "at most 2^18 experts in all layers");
    require(in_range(spec.experts_per_token, spec.experts), "a token has at most all experts");
  }
  require(!spec.tensor_prefixes.empty() && !spec.head_names.empty(), "tensors have names");
  for (const std::string& key : spec.unknown_config_keys)
    require(is_presentable(key), "a key that is reported is one short line");
}

}  // namespace

void config(std::string_view bytes) {
  ModelSpec spec;
  if (accepts([&] { spec = parse_model_spec(bytes, "config.json"); },
              {Code::invalid_config, Code::model_unsupported})) {
    check(spec);
  }
}

}  // namespace deltascope::fuzz
