#include "models/model.h"

#include <algorithm>
#include <map>

#include "core/errors.h"
#include "models/family.h"

namespace deltascope {
namespace {

/// A head beside a tied embedding is tolerated only when it says the same.
void require_same_head(const Checkpoint& checkpoint, const TensorInfo& embedding, const TensorInfo& head) {
  const auto a = checkpoint.bytes(embedding), b = checkpoint.bytes(head);
  if (embedding.dtype != head.dtype || !std::equal(a.begin(), a.end(), b.begin(), b.end())) {
    throw Error(Code::invalid_weights,
                "config.json ties the head to the embedding, but lm_head.weight holds other values than "
                "model.embed_tokens.weight",
                {{"tensor", "lm_head.weight"}, {"field", "tie_word_embeddings"}});
  }
}

/// Old checkpoints store what is computed from the config anyway.
bool is_derived(const std::string& tensor) { return tensor.ends_with("rotary_emb.inv_freq"); }

}  // namespace

Model::Model(const std::string& folder, const std::string& adapter)
    : spec_(read_model_spec(folder)), checkpoint_(folder) {
  const std::vector<int64_t> width = {spec_.d_model}, head_width = {spec_.head_dim},
                             table = {spec_.vocab_size, spec_.d_model};
  embedding_ = &checkpoint_.require("model.embed_tokens.weight", table);
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const std::string stem = "model.layers." + std::to_string(layer) + ".";
    BlockTensors block{};
    block.input_norm = &checkpoint_.require(stem + "input_layernorm.weight", width);
    block.post_attention_norm = &checkpoint_.require(stem + "post_attention_layernorm.weight", width);
    if (spec_.qk_norm) {
      block.q_norm = &checkpoint_.require(stem + "self_attn.q_norm.weight", head_width);
      block.k_norm = &checkpoint_.require(stem + "self_attn.k_norm.weight", head_width);
    }
    for (const Role role : kRoles) {
      const auto [out, in] = linear_shape(spec_, role);
      const auto index = static_cast<size_t>(role);
      block.weight[index] = &checkpoint_.require(stem + module_path(role) + ".weight", {out, in});
      if (has_bias(spec_, role))
        block.bias[index] = &checkpoint_.require(stem + module_path(role) + ".bias", {out});
    }
    blocks_.push_back(block);
  }
  final_norm_ = &checkpoint_.require("model.norm.weight", width);
  if (!spec_.tied_head) {
    head_ = &checkpoint_.require("lm_head.weight", table);
  } else {
    head_ = embedding_;
    if (checkpoint_.find("lm_head.weight") != nullptr) {
      require_same_head(checkpoint_, *embedding_, checkpoint_.require("lm_head.weight", table));
    }
  }

  std::vector<std::string> unread = checkpoint_.unread();
  std::erase_if(unread, is_derived);
  if (!unread.empty()) {
    throw Error(Code::invalid_weights,
                folder + ": " + std::to_string(unread.size()) +
                    (unread.size() == 1 ? " tensor is" : " tensors are") + " not part of " +
                    spec_.architecture + " with this config, the first " + unread.front(),
                {{"file", folder}, {"tensor", unread.front()}});
  }

  std::map<DType, int64_t> by_dtype;
  for (const auto& [tensor, info] : checkpoint_.tensors()) {
    if (is_derived(tensor) || (spec_.tied_head && tensor == "lm_head.weight")) continue;
    parameters_ += info.elements();
    by_dtype[info.dtype] += info.elements();
  }
  const auto most = std::max_element(by_dtype.begin(), by_dtype.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  stored_dtype_ = torch_name(most->first);
  if (!adapter.empty()) adapter_ = std::make_unique<Adapter>(adapter, spec_);
}

}  // namespace deltascope
