#include "models/model.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/errors.h"
#include "models/family.h"
#include "models/unembedding.h"

namespace deltascope {
namespace {

/// A head beside a tied embedding is tolerated only when it says the same.
void require_same_head(const Checkpoint& checkpoint, const TensorInfo& embedding, const TensorInfo& head,
                       const Job& job) {
  bool same = embedding.dtype == head.dtype;
  constexpr size_t kPiece = 1 << 20;
  std::vector<uint8_t> a(kPiece), b(kPiece);
  for (size_t first = 0; same && first < embedding.bytes; first += kPiece) {
    job.throw_if_cancelled();
    const size_t count = std::min(kPiece, embedding.bytes - first);
    same = checkpoint.read(embedding, first, count, a.data()) &&
           checkpoint.read(head, first, count, b.data()) &&
           std::equal(a.begin(), a.begin() + static_cast<int64_t>(count), b.begin());
  }
  if (!same) {
    throw Error(Code::invalid_config,
                checkpoint.path() + "/config.json: tie_word_embeddings ties the head to the embedding, but lm_head.weight holds other values than it",
                {{"tensor", "lm_head.weight"}, {"field", "tie_word_embeddings"}});
  }
}

bool ends_with_any(const std::string& tensor, const std::vector<std::string>& ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const std::string& end) { return tensor.ends_with(end); });
}

bool starts_with_any(const std::string& tensor, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](const std::string& start) { return tensor.starts_with(start); });
}

std::string find_prefix(const ModelSpec& spec, const Checkpoint& checkpoint) {
  for (const std::string& prefix : spec.tensor_prefixes) {
    if (checkpoint.tensors().contains(prefix + spec.names.embedding + ".weight")) return prefix;
  }
  return spec.tensor_prefixes.front();
}

/// What config.json says about depth and vocabulary must be what the weights show, before one tensor after another is
/// found missing.
void require_sizes(const ModelSpec& spec, const Checkpoint& checkpoint, const std::string& prefix) {
  const std::string stem = prefix + spec.names.blocks + ".";
  int64_t layers = 0;
  for (auto at = checkpoint.tensors().lower_bound(stem);
       at != checkpoint.tensors().end() && at->first.starts_with(stem); ++at) {
    const std::string digits = at->first.substr(stem.size(), at->first.find('.', stem.size()) - stem.size());
    const bool is_number = !digits.empty() && digits.size() < 7 && digits.find_first_not_of("0123456789") == digits.npos;
    if (is_number) layers = std::max(layers, int64_t{1} + std::stol(digits));
  }
  const auto require = [&](const char* what, const char* field, int64_t said, int64_t found) {
    if (said == found) return;
    throw Error(Code::invalid_config,
                checkpoint.path() + "/config.json: " + field + " is " + std::to_string(said) + "; the weights have " +
                    std::to_string(found) + " " + what,
                {{"file", checkpoint.path() + "/config.json"},
                 {"field", field},
                 {"expected", std::to_string(found)},
                 {"found", std::to_string(said)}});
  };
  if (layers > 0) require("layers", spec.names.blocks == "h" ? "n_layer" : "num_hidden_layers", spec.layers, layers);
  const auto embedding = checkpoint.tensors().find(prefix + spec.names.embedding + ".weight");
  if (embedding != checkpoint.tensors().end() && embedding->second.shape.size() == 2) {
    require("tokens", "vocab_size", spec.vocab_size, embedding->second.shape[0]);
  }
}

/// ‖new − old‖ in float64, piece by piece.
double difference_norm(const Weight& one, const Weight& other, const Job& job) {
  constexpr int64_t kPiece = 1 << 20;
  const int64_t count = one.tensor->elements();
  std::vector<float> a(static_cast<size_t>(std::min(kPiece, count))), b(a.size());
  double squares = 0;
  for (int64_t first = 0; first < count; first += kPiece) {
    job.throw_if_cancelled();
    const int64_t here = std::min(kPiece, count - first);
    read_weights(one, first, here, a.data());
    read_weights(other, first, here, b.data());
    for (int64_t i = 0; i < here; ++i) {
      const double difference =
          static_cast<double>(a[static_cast<size_t>(i)]) - static_cast<double>(b[static_cast<size_t>(i)]);
      squares += difference * difference;
    }
  }
  return std::sqrt(squares);
}

}  // namespace

/// Finds tensors in the checkpoint, and lets the adapter put others in their place.
class Model::Finder {
 public:
  Finder(Checkpoint& checkpoint, Adapter* adapter, const std::string& architecture, const Job& job)
      : checkpoint_(checkpoint), adapter_(adapter), architecture_(architecture), job_(job) {}

  Weight find(const std::string& tensor, const std::vector<int64_t>& shape) {
    return replaced(tensor, {&checkpoint_, &checkpoint_.require(tensor, shape)});
  }

  /// The adapter's tensor of this name, which must have the shape of the base's; the base's when there is none.
  Weight replaced(const std::string& tensor, const Weight& base) {
    const Weight other = adapter_ == nullptr ? Weight{} : adapter_->replacement(tensor);
    if (!other) return base;
    const std::string& path = adapter_->file().path();
    if (other.tensor->shape != base.tensor->shape) {
      throw Error(Code::invalid_adapter,
                  path + ": the tensor in the place of " + tensor + " has shape " + describe(other.tensor->shape) +
                      ", the base's has " + describe(base.tensor->shape),
                  {{"file", path},
                   {"tensor", tensor},
                   {"expected", describe(base.tensor->shape)},
                   {"found", describe(other.tensor->shape)}});
    }
    const DType dtype = other.tensor->dtype;
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
      throw Error(Code::invalid_adapter,
                  path + ": the tensor in the place of " + tensor + " has dtype " +
                      std::string(container_name(dtype)) + "; F32, F16 or BF16 is expected",
                  {{"file", path}, {"tensor", tensor}});
    }
    used_.insert(tensor);
    adapter_->add_replaced(tensor.substr(0, tensor.rfind('.')), difference_norm(other, base, job_));
    return other;
  }

  NormWeight norm(const std::string& module, int64_t width, bool biased) {
    return {find(module + ".weight", {width}), biased ? find(module + ".bias", {width}) : Weight{}};
  }

  /// Every tensor that the adapter replaces must have been somewhere.
  void require_all_used() const {
    if (adapter_ == nullptr) return;
    for (const auto& entry : adapter_->replacements()) {
      if (used_.contains(entry.first)) continue;
      const std::string& path = adapter_->file().path();
      const std::string& name = entry.second.name;
      throw Error(Code::invalid_adapter,
                  path + ": tensor " + name + " matches no module and no tensor of " + architecture_,
                  {{"file", path}, {"tensor", name}});
    }
  }

 private:
  Checkpoint& checkpoint_;
  Adapter* adapter_;
  const std::string& architecture_;
  const Job& job_;
  std::set<std::string> used_;
};

Model::Model(const std::string& folder, const std::string& adapter, Precision precision, const Job& job,
             std::shared_ptr<const Backend> backend)
    : spec_(read_model_spec(folder)),
      checkpoint_(folder),
      precision_(precision),
      backend_(std::move(backend)),
      unembedding_(backend_->unembedding(*this)) {
  const std::string prefix = find_prefix(spec_, checkpoint_);
  if (!adapter.empty()) adapter_ = std::make_unique<Adapter>(adapter, spec_, prefix, job);
  Finder finder(checkpoint_, adapter_.get(), spec_.architecture, job);
  const TensorNames& names = spec_.names;
  const bool shifts = spec_.norm == Norm::layer;

  require_sizes(spec_, checkpoint_, prefix);
  const std::vector<int64_t> table = {spec_.vocab_size, spec_.d_model};
  std::string head = spec_.head_names.front();
  for (const std::string& name : spec_.head_names) {
    if (checkpoint_.tensors().contains(name + ".weight")) head = name;
  }
  // A tied matrix may stand in the file under either name.
  const std::string embedding = prefix + names.embedding + ".weight";
  const bool only_head = spec_.tied_head && !checkpoint_.tensors().contains(embedding) &&
                         checkpoint_.tensors().contains(head + ".weight");
  const Weight matrix = {&checkpoint_, &checkpoint_.require(only_head ? head + ".weight" : embedding, table)};
  embedding_ = finder.replaced(embedding, matrix);
  if (spec_.learned_positions > 0) {
    positions_ = finder.find(prefix + names.positions + ".weight", {spec_.learned_positions, spec_.d_model});
  }
  for (int64_t layer = 0; layer < spec_.layers; ++layer) {
    const std::string stem = prefix + names.blocks + "." + std::to_string(layer) + ".";
    const BlockSpec& own = spec_.blocks[static_cast<size_t>(layer)];
    const auto norm = [&](const std::string& module) {
      return module.empty() ? NormWeight{} : finder.norm(stem + module, spec_.d_model, shifts);
    };
    BlockTensors block{};
    block.norm_before_attention = norm(names.norm_before_attention);
    block.norm_after_attention = norm(names.norm_after_attention);
    block.norm_before_mlp = norm(names.norm_before_mlp);
    block.norm_after_mlp = norm(names.norm_after_mlp);
    if (spec_.qk_norm != QkNorm::none) {
      const bool whole = spec_.qk_norm == QkNorm::row;
      block.q_norm = finder.norm(stem + names.q_norm, spec_.head_dim * (whole ? spec_.heads : 1), shifts);
      block.k_norm = finder.norm(stem + names.k_norm, spec_.head_dim * (whole ? spec_.kv_heads : 1), shifts);
    }
    std::map<std::string, std::array<Weight, 2>> found;  // module → weight and bias, which several roles may share
    for (const Role role : kRoles) {
      if (!has_role(spec_, own, role)) continue;
      const auto [first, total] = module_rows(spec_, own, role);
      const int64_t in = linear_shape(spec_, own, role).in;
      const auto [entry, fresh] = found.try_emplace(names.module(role));
      if (fresh) {
        const std::vector<int64_t> shape =
            spec_.input_major ? std::vector<int64_t>{in, total} : std::vector<int64_t>{total, in};
        entry->second[0] = finder.find(stem + entry->first + ".weight", shape);
        if (has_bias(spec_, role)) entry->second[1] = finder.find(stem + entry->first + ".bias", {total});
      }
      block.linear[static_cast<size_t>(role)] = {entry->second[0], entry->second[1], first};
    }
    if (own.experts) {
      const std::string stacked = stem + names.experts + ".";
      const auto leaf = [&](Role role) { return names.module(role).substr(names.module(role).rfind('.') + 1); };
      // transformers 5 may keep all experts in two tensors: [experts, 2 · width, d_model] and [experts, d_model, width].
      const bool is_stacked = checkpoint_.tensors().contains(stacked + leaf(Role::down));
      const int64_t E = spec_.experts, width = spec_.d_expert, d = spec_.d_model;
      const Weight gate_up = is_stacked ? finder.find(stacked + "gate_up_proj", {E, 2 * width, d}) : Weight{},
                   down = is_stacked ? finder.find(stacked + leaf(Role::down), {E, d, width}) : Weight{};
      for (int64_t expert = 0; expert < E; ++expert) {
        const auto own_weight = [&](Role role) {
          const auto [out, in] = linear_shape(spec_, own, role);
          return LinearWeight{finder.find(stem + expert_module(spec_, expert, role) + ".weight", {out, in}), {}, 0};
        };
        if (is_stacked) {
          const int64_t row = 2 * width * expert;
          block.experts.push_back(
              {LinearWeight{gate_up, {}, row}, LinearWeight{gate_up, {}, row + width}, LinearWeight{down, {}, d * expert}});
        } else {
          block.experts.push_back({own_weight(Role::gate), own_weight(Role::up), own_weight(Role::down)});
        }
      }
    }
    blocks_.push_back(std::move(block));
  }
  final_norm_ = finder.norm(prefix + names.final_norm, spec_.d_model, shifts);

  if (!spec_.tied_head) {
    head_ = finder.find(head + ".weight", table);
  } else {
    head_ = matrix;
    if (!only_head && checkpoint_.find(head + ".weight") != nullptr) {
      require_same_head(checkpoint_, *matrix.tensor, checkpoint_.require(head + ".weight", table), job);
    }
    // A tied matrix that an adapter replaces on one side is no longer tied, unless the adapter says so.
    for (const std::string& name : spec_.head_names) head_ = finder.replaced(name + ".weight", head_);
    if (adapter_ && adapter_->config().tied_replacement) {
      if (head_.file == &checkpoint_) head_ = embedding_;
      if (embedding_.file == &checkpoint_) embedding_ = head_;
    }
  }
  finder.require_all_used();

  const auto is_derived = [&](const std::string& tensor) { return ends_with_any(tensor, spec_.derived_suffixes); };
  const auto is_foreign = [&](const std::string& tensor) { return starts_with_any(tensor, spec_.foreign_prefixes); };
  std::vector<std::string> unread = checkpoint_.unread();
  std::erase_if(unread, [&](const std::string& tensor) { return is_derived(tensor) || is_foreign(tensor); });
  if (!unread.empty()) {
    throw Error(Code::invalid_weights,
                folder + ": " + std::to_string(unread.size()) +
                    (unread.size() == 1 ? " tensor is" : " tensors are") + " not part of " +
                    spec_.architecture + " with this config, the first " + unread.front(),
                {{"file", folder}, {"tensor", unread.front()}});
  }

  std::map<DType, int64_t> by_dtype;
  for (const auto& [tensor, info] : checkpoint_.tensors()) {
    const bool is_twin = spec_.tied_head && !only_head && tensor == head + ".weight";
    if (is_derived(tensor) || is_foreign(tensor) || is_twin) continue;
    parameters_ += info.elements();
    by_dtype[info.dtype] += info.elements();
  }
  const auto most = std::max_element(by_dtype.begin(), by_dtype.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  stored_dtype_ = torch_name(most->first);

  if (!adapter_) return;
  const auto& modules = adapter_->modules();
  const bool moves = std::any_of(modules.begin(), modules.end(),
                                 [](const AdaptedModule& module) { return module.change > 0; });
  if (!moves) {
    const std::string& path = adapter_->file().path();
    throw Error(Code::adapter_inert,
                path + ": the adapter changes nothing (the change is zero in all " + std::to_string(modules.size()) +
                    " modules)",
                {{"file", path}});
  }
}

Model::~Model() = default;

const LinearWeight& Model::expert(int64_t layer, int64_t expert, Role role) const {
  const size_t index = role == Role::gate ? 0 : (role == Role::up ? 1 : 2);
  return block(layer).experts[static_cast<size_t>(expert)][index];
}

bool Model::shares_blocks(const Model& other) const {
  const auto plain = [](const Model& model) { return !model.adapter() || !model.adapter()->replaces_in_blocks(); };
  return checkpoint_.same_files(other.checkpoint_) && precision_ == other.precision_ && plain(*this) && plain(other);
}

void Model::require_unchanged() const {
  checkpoint_.require_unchanged();
  if (adapter_ && !adapter_->replacements().empty()) adapter_->file().require_unchanged();
}

}  // namespace deltascope
