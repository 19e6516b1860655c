#include <algorithm>
#include <cmath>
#include <optional>

#include "format/safetensors.h"
#include "models/adapter_config.h"
#include "models/model.h"
#include "target.h"
#include "temporary_folder.h"

namespace deltascope::fuzz {
namespace {

constexpr std::string_view kGoodConfig =
    R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": "all-linear"})";

/// Two small blocks whose linear layers have different shapes, and whose tensors have two names.
constexpr std::string_view kDenseConfig =
    R"({"architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {"num_hidden_layers": 2, "hidden_size": 4, "intermediate_size": 6, "head_dim": 2,
                        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 8}})";

/// A block of three experts, and one without.
constexpr std::string_view kExpertsConfig =
    R"({"architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 2, "hidden_size": 4, "intermediate_size": 6,
        "head_dim": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 8, "num_experts": 3,
        "num_experts_per_tok": 1, "moe_intermediate_size": 2, "mlp_only_layers": [1], "tie_word_embeddings": true})";

/// Such a base with all weights zero.
std::string base_weights(bool experts) {
  const std::string prefix = experts ? "model." : "model.language_model.";
  std::string header, data;
  const auto add = [&](const std::string& tensor, int64_t rows, int64_t columns) {
    const std::string shape = rows == 0 ? std::to_string(columns) : std::to_string(rows) + "," + std::to_string(columns);
    const size_t first = data.size();
    data.resize(first + static_cast<size_t>(2 * std::max(rows, int64_t{1}) * columns));
    header += (header.empty() ? "{\"" : ",\"") + (prefix + tensor) +
              R"(.weight":{"dtype":"BF16","shape":[)" + shape + R"(],"data_offsets":[)" + std::to_string(first) + "," +
              std::to_string(data.size()) + "]}";
  };
  add("embed_tokens", 8, 4);
  add("norm", 0, 4);
  for (const std::string block : {"layers.0.", "layers.1."}) {
    for (const std::string norm : {"input", "post_attention"}) add(block + norm + "_layernorm", 0, 4);
    for (const std::string norm : {"pre_feedforward", "post_feedforward"}) {
      if (!experts) add(block + norm + "_layernorm", 0, 4);
    }
    for (const std::string norm : {"q_norm", "k_norm"}) add(block + "self_attn." + norm, 0, 2);
    add(block + "self_attn.q_proj", 4, 4);
    add(block + "self_attn.k_proj", 2, 4);
    add(block + "self_attn.v_proj", 2, 4);
    add(block + "self_attn.o_proj", 4, 4);
    if (experts && block == "layers.0.") {
      add(block + "mlp.gate", 3, 4);
      for (const std::string expert : {"0.", "1.", "2."}) {
        add(block + "mlp.experts." + expert + "gate_proj", 2, 4);
        add(block + "mlp.experts." + expert + "up_proj", 2, 4);
        add(block + "mlp.experts." + expert + "down_proj", 4, 2);
      }
      continue;
    }
    add(block + "mlp.gate_proj", 6, 4);
    add(block + "mlp.up_proj", 6, 4);
    add(block + "mlp.down_proj", 4, 6);
  }
  header += "}";
  std::string bytes;
  for (size_t i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

/// Folders of two bases and of an adapter to them.
struct Folders {
  test::TemporaryFolder dense, experts, adapter;
  Folders() {
    dense.write("config.json", kDenseConfig);
    dense.write("model.safetensors", base_weights(false));
    experts.write("config.json", kExpertsConfig);
    experts.write("model.safetensors", base_weights(true));
  }
};

void check(const AdapterConfig& config) {
  const auto is_rank = [](int64_t rank) { return rank >= 1 && rank <= 1 << 16; };
  const auto is_alpha = [](double alpha) { return alpha > 0 && alpha <= 1e6; };
  require(is_rank(config.rank) && is_alpha(config.alpha), "rank of 1 to 2^16, alpha of at most 1e6");
  require(!config.targets.empty() || !config.replaced.empty() || !config.parameters.empty(),
          "something is adapted or replaced");
  for (const auto& entry : config.ranks) require(is_rank(entry.second), "rank_pattern keeps to ranks");
  for (const auto& entry : config.alphas) require(is_alpha(entry.second), "alpha_pattern keeps to alphas");
  for (const int64_t layer : config.layers) require(layer >= 0 && layer <= 4096, "layers of 0 to 4,096");
  require(std::is_sorted(config.layers.begin(), config.layers.end()), "layers ascend");
}

void check(const LowRank& update, LinearShape shape) {
  require(update.rank >= 1 && update.a.out() == update.rank && update.a.in() == shape.in, "A is [rank, in]");
  require(update.b.out() == shape.out && update.b.in() == update.rank, "B is [out, rank]");
  require(std::isfinite(update.scale) && update.scale >= 0, "a scale is finite");
}

/// `tensors`: how many the adapter's file has.
void check(const Model& model, size_t tensors) {
  const ModelSpec& spec = model.spec();
  const Adapter& adapter = *model.adapter();
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    const BlockSpec& block = spec.blocks[static_cast<size_t>(layer)];
    for (int64_t expert = -1; expert < (block.experts ? spec.experts : 0); ++expert) {
      for (const Role role : kRoles) {
        const LowRank* update = adapter.find(layer, role, expert);
        if (update == nullptr) continue;
        require(has_role(spec, block, role) == (expert < 0), "updates are of what the block has");
        check(*update, linear_shape(spec, block, role));
        require(layer >= adapter.first_layer() && layer <= adapter.last_layer(), "all updates are in the range of layers");
      }
    }
  }
  if (adapter.head() != nullptr) check(*adapter.head(), {spec.vocab_size, spec.d_model});
  const auto updates = std::count_if(adapter.modules().begin(), adapter.modules().end(),
                                     [](const AdaptedModule& module) { return !module.replaced; });
  require(2 * static_cast<size_t>(updates) + adapter.replacements().size() +
                  static_cast<size_t>(adapter.foreign_tensors()) ==
              tensors,
          "every tensor is used");
  double largest = 0;
  for (const AdaptedModule& module : adapter.modules()) {
    require(!(module.change < 0), "a change has a length");
    require(module.replaced || std::isfinite(module.change), "the length of an update is finite");
    largest = std::max(largest, module.change);
  }
  require(largest > 0, "an adapter changes something");
}

}  // namespace

void adapter(std::string_view bytes) {
  const size_t nul = bytes.find('\0');
  const std::string_view text = nul == 0 ? kGoodConfig : bytes.substr(0, nul);
  std::optional<AdapterConfig> config;
  if (!accepts([&] { config = parse_adapter_config(text, "adapter_config.json"); },
               {Code::invalid_adapter, Code::model_unsupported})) {
    return;
  }
  check(*config);
  if (nul == std::string_view::npos) return;

  static const Folders folders;
  folders.adapter.write("adapter_config.json", text);
  folders.adapter.write("adapter_model.safetensors", bytes.substr(nul + 1));
  for (const test::TemporaryFolder* base : {&folders.dense, &folders.experts}) {
    std::optional<Model> model;
    if (accepts([&] { model.emplace(base->path(), folders.adapter.path()); },
                {Code::invalid_adapter, Code::invalid_safetensors, Code::adapter_inert})) {
      check(*model, Safetensors(folders.adapter.path("adapter_model.safetensors")).tensors().size());
    }
  }
}

}  // namespace deltascope::fuzz
