#include "models/model.h"

#include <algorithm>
#include <map>

#include "core/errors.h"
#include "models/family.h"

namespace deltascope {
namespace {

/// A head beside a tied embedding is tolerated only when it says the same.
void require_same_head(const Checkpoint& checkpoint, const TensorInfo& embedding, const TensorInfo& head) {
  bool same = embedding.dtype == head.dtype;
  constexpr size_t kPiece = 1 << 20;
  std::vector<uint8_t> a(kPiece), b(kPiece);
  for (size_t first = 0; same && first < embedding.bytes; first += kPiece) {
    const size_t count = std::min(kPiece, embedding.bytes - first);
    same = checkpoint.read(embedding, first, count, a.data()) &&
           checkpoint.read(head, first, count, b.data()) &&
           std::equal(a.begin(), a.begin() + static_cast<int64_t>(count), b.begin());
  }
  if (!same) {
    throw Error(Code::invalid_weights,
                "config.json ties the head to the embedding, but lm_head.weight holds other values than it",
                {{"tensor", "lm_head.weight"}, {"field", "tie_word_embeddings"}});
  }
}

/// Old checkpoints store what is computed from the config anyway.
bool is_derived(const std::string& tensor) { return tensor.ends_with("rotary_emb.inv_freq"); }

/// A tensor of another part of a larger model: its vision tower.
bool is_foreign(const ModelSpec& spec, const std::string& tensor) {
  return std::any_of(spec.foreign_prefixes.begin(), spec.foreign_prefixes.end(),
                     [&](const std::string& prefix) { return tensor.starts_with(prefix); });
}

std::string find_prefix(const ModelSpec& spec, const Checkpoint& checkpoint) {
  for (const std::string& prefix : spec.tensor_prefixes) {
    if (checkpoint.tensors().contains(prefix + "embed_tokens.weight")) return prefix;
  }
  return spec.tensor_prefixes.front();
}

}  // namespace

Model::Model(const std::string& folder, const std::string& adapter)
    : spec_(read_model_spec(folder)), checkpoint_(folder), prefix_(find_prefix(spec_, checkpoint_)) {
  const std::vector<int64_t> width = {spec_.d_model}, head_width = {spec_.head_dim},
                             table = {spec_.vocab_size, spec_.d_model};
  embedding_ = &checkpoint_.require(prefix_ + "embed_tokens.weight", table);
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const std::string stem = prefix_ + "layers." + std::to_string(layer) + ".";
    const auto norm = [&](const char* module, const std::vector<int64_t>& shape) {
      return &checkpoint_.require(stem + module + ".weight", shape);
    };
    BlockTensors block{};
    block.norm_before_attention = norm("input_layernorm", width);
    if (spec_.sandwich_norms) {
      block.norm_after_attention = norm("post_attention_layernorm", width);
      block.norm_before_mlp = norm("pre_feedforward_layernorm", width);
      block.norm_after_mlp = norm("post_feedforward_layernorm", width);
    } else {
      block.norm_before_mlp = norm("post_attention_layernorm", width);  // after attention, before the MLP
    }
    if (spec_.qk_norm) {
      block.q_norm = norm("self_attn.q_norm", head_width);
      block.k_norm = norm("self_attn.k_norm", head_width);
    }
    for (const Role role : kRoles) {
      const auto [out, in] = linear_shape(spec_, role);
      const auto index = static_cast<size_t>(role);
      block.weight[index] = &checkpoint_.require(stem + module_path(role) + ".weight", {out, in});
      if (has_bias(spec_, role)) {
        block.bias[index] = &checkpoint_.require(stem + module_path(role) + ".bias", {out});
      }
    }
    blocks_.push_back(block);
  }
  final_norm_ = &checkpoint_.require(prefix_ + "norm.weight", width);
  std::string head_name;
  for (const std::string& name : spec_.head_names) {
    if (head_name.empty() || checkpoint_.tensors().contains(name)) head_name = name;
  }
  if (!spec_.tied_head) {
    head_ = &checkpoint_.require(head_name, table);
  } else {
    head_ = embedding_;
    if (checkpoint_.find(head_name) != nullptr) {
      require_same_head(checkpoint_, *embedding_, checkpoint_.require(head_name, table));
    }
  }

  std::vector<std::string> unread = checkpoint_.unread();
  std::erase_if(unread,
                [&](const std::string& tensor) { return is_derived(tensor) || is_foreign(spec_, tensor); });
  if (!unread.empty()) {
    throw Error(Code::invalid_weights,
                folder + ": " + std::to_string(unread.size()) +
                    (unread.size() == 1 ? " tensor is" : " tensors are") + " not part of " +
                    spec_.architecture + " with this config, the first " + unread.front(),
                {{"file", folder}, {"tensor", unread.front()}});
  }

  std::map<DType, int64_t> by_dtype;
  for (const auto& [tensor, info] : checkpoint_.tensors()) {
    if (is_derived(tensor) || is_foreign(spec_, tensor) || (spec_.tied_head && tensor == head_name)) continue;
    parameters_ += info.elements();
    by_dtype[info.dtype] += info.elements();
  }
  const auto most = std::max_element(by_dtype.begin(), by_dtype.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  stored_dtype_ = torch_name(most->first);
  if (!adapter.empty()) adapter_ = std::make_unique<Adapter>(adapter, spec_);
}

}  // namespace deltascope
