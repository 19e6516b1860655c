#include "models/adapter.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <tuple>

#include "core/errors.h"
#include "format/config_reader.h"
#include "format/data_file.h"
#include "ops/convert.h"

namespace deltascope {
namespace {

/// A module of the base that can be adapted, and the roles whose rows are its own, one after another.
struct Module {
  std::string name;  // below the prefix, as reported: "layers.3.self_attn.q_proj"
  int64_t layer = -1, expert = -1;
  std::vector<Role> roles;
  int64_t out = 0, in = 0;
  std::string key = {};  // its path as rank_pattern and alpha_pattern see it
  bool stacked = false;  // all experts of the block side by side, as one tensor
};

/// One tensor that transformers keeps for all experts of a block, and the roles whose rows it holds for each expert. In the
/// order in which PEFT wraps them.
struct ExpertTensor {
  std::string name;
  std::vector<Role> roles;
};
const std::array<ExpertTensor, 2> kExpertTensors = {
    {{"gate_up_proj", {Role::gate, Role::up}}, {"down_proj", {Role::down}}}};

/// The two tensors of a low-rank update.
struct Halves {
  std::string a, b;
};

/// "12.rest" → 12 and "rest"; nothing when it does not begin with a plain number below `end`.
std::optional<int64_t> take_number(std::string_view& text, int64_t end) {
  int64_t number = 0;
  size_t digits = 0;
  while (digits < text.size() && digits < 6 && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + (text[digits++] - '0');
  }
  if (digits == 0 || digits == text.size() || text[digits] != '.' || number >= end) return std::nullopt;
  if (digits > 1 && text[0] == '0') return std::nullopt;
  text.remove_prefix(digits + 1);
  return number;
}

std::vector<float> dense_values(const Checkpoint& file, const TensorInfo& info) {
  std::vector<float> values(static_cast<size_t>(info.elements()));
  read_weights({&file, &info}, 0, info.elements(), values.data());
  return values;
}

/// ‖B A‖ from its rows, in float64. a: [rank, in], b: [out, rank].
double norm_by_rows(const std::vector<float>& a, const std::vector<float>& b, int64_t rank, const Job& job) {
  const int64_t in = static_cast<int64_t>(a.size()) / rank, out = static_cast<int64_t>(b.size()) / rank;
  std::vector<double> row(static_cast<size_t>(in));
  double squared = 0;
  for (int64_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    job.throw_if_cancelled();
    for (int64_t r = 0; r < rank; ++r) {
      const double factor = b[static_cast<size_t>(i * rank + r)];
      const float* at = &a[static_cast<size_t>(r * in)];
      for (int64_t k = 0; k < in; ++k) row[static_cast<size_t>(k)] += factor * at[k];
    }
    for (const double value : row) squared += value * value;
  }
  return std::sqrt(squared);
}

/// ‖B A‖ without forming it: ‖B A‖² = Σ (BᵀB) ∘ (A Aᵀ), [rank, rank] each, in float64.
/// a: [rank, in], b: [out, rank].
double product_norm(const std::vector<float>& a, const std::vector<float>& b, int64_t rank, const Job& job) {
  const int64_t in = static_cast<int64_t>(a.size()) / rank, out = static_cast<int64_t>(b.size()) / rank;
  // A rank may be large beside the module: its square would have nothing to do with the size of the file.
  if (rank > std::min(in, out)) return norm_by_rows(a, b, rank, job);
  std::vector<double> left(static_cast<size_t>(rank * rank)), right(static_cast<size_t>(rank * rank));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rank; ++i) {
    if (job.cancelled.load(std::memory_order_relaxed)) continue;
    for (int64_t row = 0; row < out; ++row) {
      const float* at = &b[static_cast<size_t>(row * rank)];
      for (int64_t j = 0; j < rank; ++j) left[static_cast<size_t>(i * rank + j)] += static_cast<double>(at[i]) * at[j];
    }
    for (int64_t j = 0; j < rank; ++j) {
      double sum = 0;
      const float *ai = &a[static_cast<size_t>(i * in)], *aj = &a[static_cast<size_t>(j * in)];
      for (int64_t k = 0; k < in; ++k) sum += static_cast<double>(ai[k]) * aj[k];
      right[static_cast<size_t>(i * rank + j)] = sum;
    }
  }
  job.throw_if_cancelled();
  double squared = 0;
  for (size_t i = 0; i < left.size(); ++i) squared += left[i] * right[i];
  return std::sqrt(std::max(0.0, squared));
}

}  // namespace

/// Takes the file apart.
struct Adapter::Reader {
  Adapter& adapter;
  const ModelSpec& spec;
  const std::string& prefix;
  const std::string& path;
  const Job& job;

  [[noreturn]] void fail(const std::string& tensor, const std::string& why, Error::Details details = {}) const {
    details.insert(details.begin(), {{"file", path}, {"tensor", tensor}});
    throw Error(Code::invalid_adapter, path + ": tensor " + tensor + " " + why, std::move(details));
  }

  [[noreturn]] void fail_unknown(const std::string& tensor) const {
    fail(tensor, "matches no module of " + spec.architecture + " with " + std::to_string(spec.layers) + " layers");
  }

  /// The module, and under which path the config speaks of it: its own, or that of its weight where that is what
  /// target_parameters names.
  Module with_key(Module module, std::string_view whole) const {
    module.key = whole;
    const std::string weight = module.key + ".weight";
    if (!adapter.config_.adapts(module.key, module.layer) && adapter.config_.adapts_parameter(weight)) module.key = weight;
    return module;
  }

  /// The module at a path of the base ("model.layers.3.self_attn.q_proj"), whichever version of transformers named
  /// it; nothing when there is none.
  std::optional<Module> module_at(std::string_view whole) const {
    for (const std::string& head : spec.head_names) {
      if (whole == head) return with_key({head, -1, -1, {}, spec.vocab_size, spec.d_model}, whole);
    }
    for (const std::string& candidate : spec.tensor_prefixes) {
      const std::string stem = candidate + spec.names.blocks + ".";
      if (!whole.starts_with(stem)) continue;
      std::string_view rest = whole.substr(stem.size());
      const auto layer = take_number(rest, spec.layers);
      if (!layer) continue;
      const BlockSpec& block = spec.blocks[static_cast<size_t>(*layer)];
      Module module = with_key({std::string(whole.substr(candidate.size())), *layer, -1, {}, 0, 0}, whole);
      for (const Role role : kRoles) {
        if (has_role(spec, block, role) && spec.names.module(role) == rest) module.roles.push_back(role);
      }
      if (block.experts) find_expert_tensor(rest, module);
      const std::string experts = spec.names.experts + ".";
      if (block.experts && module.roles.empty() && rest.starts_with(experts)) {
        std::string_view inner = rest.substr(experts.size());
        const auto expert = take_number(inner, spec.experts);
        if (!expert) continue;
        for (const Role role : {Role::gate, Role::up, Role::down}) {
          if (expert_module(spec, *expert, role) == rest) module.roles = {role};
        }
        module.expert = *expert;
      }
      if (module.roles.empty()) continue;
      for (const Role role : module.roles) {
        const auto [out, in] = linear_shape(spec, block, role);
        module.out += out;
        module.in = in;
      }
      return module;
    }
    return std::nullopt;
  }

  /// The tensor of all experts that an update at this path of a block is about. PEFT wraps one such tensor after another: the
  /// update of the first stands at the path of the module that keeps them, below the ".base_layer" of the next one's.
  void find_expert_tensor(std::string_view rest, Module& module) const {
    constexpr std::string_view kInner = ".base_layer";
    const bool inner = rest.ends_with(kInner);
    if (inner) rest.remove_suffix(kInner.size());
    if (rest != spec.names.experts) return;
    const auto without_inner = [&](const std::string& path) {
      return path.substr(0, path.size() - (inner ? kInner.size() : 0)) + ".";
    };
    const std::string holder = without_inner(module.key);
    std::vector<const ExpertTensor*> wrapped;
    for (const ExpertTensor& tensor : kExpertTensors) {
      if (adapter.config_.adapts_parameter(holder + tensor.name)) wrapped.push_back(&tensor);
    }
    if (wrapped.size() < (inner ? 2 : 1)) return;
    const ExpertTensor& tensor = inner ? *wrapped.front() : *wrapped.back();
    module.name = without_inner(module.name) + tensor.name;
    module.key = holder + tensor.name;
    module.roles = tensor.roles;
    module.stacked = true;
  }

  bool is_embedding(std::string_view whole) const {
    return std::any_of(spec.tensor_prefixes.begin(), spec.tensor_prefixes.end(),
                       [&](const std::string& candidate) { return whole == candidate + spec.names.embedding; });
  }

  /// The base's name of a tensor that an adapter of any version of transformers names.
  std::string base_tensor(const std::string& rest) const {
    for (const std::string& head : spec.head_names) {
      if (rest == head + ".weight") return rest;
    }
    for (const std::string& candidate : spec.tensor_prefixes) {
      if (rest.starts_with(candidate)) return prefix + rest.substr(candidate.size());
    }
    return rest;
  }

  const TensorInfo& tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    const TensorInfo* info = adapter.file_->find(name);
    if (info == nullptr || info->shape != shape) {
      const std::string found = info == nullptr ? "nothing" : describe(info->shape);
      fail(name, "should have shape " + describe(shape) + ", found " + found,
           {{"expected", describe(shape)}, {"found", found}});
    }
    if (info->dtype != DType::f32 && info->dtype != DType::f16 && info->dtype != DType::bf16) {
      fail(name, "has dtype " + std::string(container_name(info->dtype)) + "; F32, F16 or BF16 is expected");
    }
    return *info;
  }

  std::vector<float> matrix(const std::string& name, int64_t rows, int64_t columns) const {
    job.throw_if_cancelled();
    std::vector<float> values = dense_values(*adapter.file_, tensor(name, {rows, columns}));
    if (count_not_finite(values.data(), rows * columns) > 0) fail(name, "holds NaN or infinity");
    return values;
  }

  void touch(int64_t layer) const {
    if (layer < 0) return;
    adapter.first_layer_ = std::min(adapter.first_layer_, layer);
    adapter.last_layer_ = std::max(adapter.last_layer_, layer);
  }

  void note(const Module& module, double change, int64_t rank) const {
    adapter.modules_.push_back({module.name, change, false});
    adapter.parameters_ += rank * (module.in + module.out) * (module.stacked ? spec.experts : 1);
    adapter.max_rank_ = std::max(adapter.max_rank_, rank);
    touch(module.layer);
  }

  /// Each role's update: its own rows of B. a: [rank, in], b: [out, rank].
  void add_update(const Module& module, int64_t expert, const Halves& halves, int64_t rank, float scale,
                  const std::vector<float>& a, const std::vector<float>& b) const {
    const auto rows = [&](int64_t first, int64_t out) {
      const std::span own = std::span(b).subspan(static_cast<size_t>(first * rank), static_cast<size_t>(out * rank));
      return LowRank{rank, scale, PackedMatrix::from(a, rank, module.in), PackedMatrix::from(own, out, rank)};
    };
    if (module.layer < 0) {
      adapter.head_ = std::make_unique<LowRank>(rows(0, module.out));
      return;
    }
    int64_t first = 0;
    for (const Role role : module.roles) {
      const int64_t out = linear_shape(spec, spec.blocks[static_cast<size_t>(module.layer)], role).out;
      const std::array place{module.layer, static_cast<int64_t>(role), expert};
      if (!adapter.updates_.emplace(place, rows(first, out)).second)
        fail(halves.a, "and another one both adapt expert " + std::to_string(expert) + " of " + module.name);
      first += out;
    }
  }

  void read_update(const Module& module, const Halves& halves) const {
    const int64_t rank = adapter.config_.rank_of(module.key);
    const auto scale = static_cast<float>(adapter.config_.scale_of(module.key));
    const std::vector<float> a = matrix(halves.a, rank, module.in), b = matrix(halves.b, module.out, rank);
    note(module, static_cast<double>(scale) * product_norm(a, b, rank, job), rank);
    add_update(module, module.expert, halves, rank, scale, a, b);
  }

  /// Whether PEFT took the tensor [experts, out, in] for [experts, in, out], as it did before 0.19. Then the shapes of A and B
  /// are exchanged, which shows unless in and out are the same.
  bool is_turned(const Module& module, const Halves& halves, int64_t rows) const {
    if (module.in != module.out) {
      const TensorInfo* info = adapter.file_->find(halves.a);
      return info != nullptr && info->shape == std::vector<int64_t>{rows, module.out};
    }
    const auto& version = adapter.config_.version;
    if (!version) {
      fail(halves.a,
           "is about square matrices, for which versions of PEFT differ, and adapter_config.json has no peft_version",
           {{"field", "peft_version"}});
    }
    return *version < std::pair<int64_t, int64_t>{0, 19};
  }

  /// All experts side by side: of A the rows e · rank … are expert e's, of B the columns e, experts + e, ….
  void read_stacked(const Module& module, const Halves& halves) const {
    const int64_t rank = adapter.config_.rank_of(module.key), E = spec.experts, in = module.in, out = module.out;
    const auto scale = static_cast<float>(adapter.config_.scale_of(module.key));
    const bool turned = is_turned(module, halves, E * rank);
    const std::vector<float> all_a = matrix(halves.a, E * rank, turned ? out : in),
                             all_b = matrix(halves.b, turned ? in : out, rank * E);
    std::vector<float> a(static_cast<size_t>(rank * in)), b(static_cast<size_t>(out * rank));
    const auto of_a = [&](int64_t expert, int64_t r, int64_t column) {
      return all_a[static_cast<size_t>((expert * rank + r) * (turned ? out : in) + column)];
    };
    const auto of_b = [&](int64_t row, int64_t r, int64_t expert) {
      return all_b[static_cast<size_t>((row * rank + r) * E + expert)];
    };
    double squares = 0;
    for (int64_t expert = 0; expert < E; ++expert) {
      for (int64_t r = 0; r < rank; ++r) {
        for (int64_t i = 0; i < in; ++i)
          a[static_cast<size_t>(r * in + i)] = turned ? of_b(i, r, expert) : of_a(expert, r, i);
        for (int64_t o = 0; o < out; ++o)
          b[static_cast<size_t>(o * rank + r)] = turned ? of_a(expert, r, o) : of_b(o, r, expert);
      }
      const double change = product_norm(a, b, rank, job);
      squares += change * change;
      add_update(module, expert, halves, rank, scale, a, b);
    }
    note(module, static_cast<double>(scale) * std::sqrt(squares), rank);
  }

  void read_embedding(const std::string& whole, const Halves& halves) const {
    const int64_t rank = adapter.config_.rank_of(whole), vocabulary = spec.vocab_size;
    const auto scale = static_cast<float>(adapter.config_.scale_of(whole));
    const std::vector<float> a = matrix(halves.a, rank, vocabulary), b = matrix(halves.b, spec.d_model, rank);
    note({spec.names.embedding, -1, -1, {}, spec.d_model, vocabulary},
         static_cast<double>(scale) * product_norm(a, b, rank, job), rank);
    adapter.embedding_ = std::make_unique<EmbeddingUpdate>(
        EmbeddingUpdate{rank, scale, std::vector<float>(static_cast<size_t>(vocabulary * rank)), b});
    for (int64_t i = 0; i < rank; ++i) {
      for (int64_t t = 0; t < vocabulary; ++t)
        adapter.embedding_->a[static_cast<size_t>(t * rank + i)] = a[static_cast<size_t>(i * vocabulary + t)];
    }
  }

  void note_replacement(const std::string& name, const std::string& rest) const {
    const std::string base = base_tensor(rest);
    const TensorInfo* info = adapter.file_->find(name);
    if (!adapter.replacements_.emplace(base, Replacement{name, info}).second) fail(name, "and another one both replace " + base);
    adapter.parameters_ += info->elements();
    const std::string stem = prefix + spec.names.blocks + ".";
    if (!base.starts_with(stem)) return;
    std::string_view inner = std::string_view(base).substr(stem.size());
    if (const auto layer = take_number(inner, spec.layers)) {
      adapter.replaces_in_blocks_ = true;
      touch(*layer);
    }
  }

  /// Every module and tensor that the config's lists of targets name must have its tensors: a file without them is cut.
  void require_all_targets(const std::map<std::string, Halves>& found) const {
    const bool any = adapter.config_.targets.any;
    const std::string some_expert = spec.names.experts + ".";
    const bool has_experts = std::any_of(found.begin(), found.end(), [&](const auto& entry) {
      const size_t at = entry.first.find(some_expert), number = at + some_expert.size();
      return at != std::string::npos && number < entry.first.size() && std::isdigit(static_cast<unsigned char>(entry.first[number]));
    });
    const auto& prefixes = spec.tensor_prefixes;
    const auto fail_missing = [&](const std::string& inner, const std::string& field) {
      throw Error(Code::invalid_adapter,
                  path + ": no tensors for " + inner + ", which " + field + " of adapter_config.json names",
                  {{"file", path}, {"tensor", inner}, {"field", field}});
    };
    for (int64_t layer = 0; layer < spec.layers; ++layer) {
      const BlockSpec& block = spec.blocks[static_cast<size_t>(layer)];
      std::vector<std::pair<Role, std::string>> modules;
      for (const Role role : kRoles) {
        if (has_role(spec, block, role)) modules.emplace_back(role, spec.names.module(role));
      }
      for (int64_t expert = 0; has_experts && block.experts && expert < spec.experts; ++expert) {
        for (const Role role : {Role::gate, Role::up, Role::down})
          modules.emplace_back(role, expert_module(spec, expert, role));
      }
      for (const auto& [role, module] : modules) {
        const std::string inner = spec.names.blocks + "." + std::to_string(layer) + "." + module;
        const bool is_router = role == Role::router;  // no linear module to PEFT, whatever its name
        // As PEFT saw the base: by the version of transformers that the file's other tensors tell of.
        const auto has = [&](const std::string& candidate) { return found.contains(candidate + inner); };
        const auto named = [&](const std::string& candidate) {
          return !any && !is_router && adapter.config_.adapts(candidate + inner, layer);
        };
        const auto names_weight = [&](const std::string& candidate) {
          return adapter.config_.adapts_parameter(candidate + inner + ".weight");
        };
        if (std::any_of(prefixes.begin(), prefixes.end(), has) ||
            adapter.replacements_.contains(prefix + inner + ".weight")) {
          continue;
        }
        if (std::all_of(prefixes.begin(), prefixes.end(), named)) fail_missing(inner, "target_modules");
        if (std::all_of(prefixes.begin(), prefixes.end(), names_weight)) fail_missing(inner, "target_parameters");
      }
      for (const ExpertTensor& tensor : kExpertTensors) {
        const std::string inner =
            spec.names.blocks + "." + std::to_string(layer) + "." + spec.names.experts + "." + tensor.name;
        const auto named = [&](const std::string& candidate) {
          return adapter.config_.adapts_parameter(candidate + inner);
        };
        const std::array place{layer, static_cast<int64_t>(tensor.roles.front()), int64_t{0}};
        if (block.experts && !adapter.updates_.contains(place) && std::all_of(prefixes.begin(), prefixes.end(), named)) {
          fail_missing(inner, "target_parameters");
        }
      }
    }
  }

  /// Every module that modules_to_save names must have a tensor. A name may be a module's or that of one around it.
  void require_all_replaced() const {
    for (const std::string& name : adapter.config_.replaced) {
      const auto is_part = [&](const std::string& tensor) {
        return tensor.find(name + ".") != std::string::npos;  // PEFT looks at the end of a path
      };
      const auto replaces = [&](const auto& replacement) { return is_part(replacement.first); };
      const auto& foreign = adapter.foreign_tensors_;
      if (std::any_of(adapter.replacements_.begin(), adapter.replacements_.end(), replaces) ||
          std::any_of(foreign.begin(), foreign.end(), is_part)) {
        continue;
      }
      throw Error(Code::invalid_adapter,
                  path + ": no tensor for " + presentable(name) + ", which modules_to_save of adapter_config.json names",
                  {{"file", path}, {"field", "modules_to_save"}, {"expected", presentable(name)}});
    }
  }

  void read() const {
    constexpr std::string_view kRoot = "base_model.model.";
    std::map<std::string, Halves> linear, embedding;  // by path in the base
    for (const auto& entry : adapter.file_->tensors()) {
      const std::string& name = entry.first;
      if (!name.starts_with(kRoot)) fail_unknown(name);
      std::string rest = name.substr(kRoot.size());
      const auto take = [&](const std::string& end, std::map<std::string, Halves>& to, std::string Halves::*half) {
        if (!rest.ends_with(end)) return false;
        to[rest.substr(0, rest.size() - end.size())].*half = name;
        return true;
      };
      const auto is_foreign = [&](const std::string& other) { return rest.starts_with(other); };
      if (std::any_of(spec.foreign_prefixes.begin(), spec.foreign_prefixes.end(), is_foreign)) {
        adapter.foreign_tensors_.push_back(rest);
        continue;
      }
      if (take(".lora_A.weight", linear, &Halves::a) || take(".lora_B.weight", linear, &Halves::b) ||
          take(".lora_embedding_A", embedding, &Halves::a) || take(".lora_embedding_B", embedding, &Halves::b)) {
        continue;
      }
      // PEFT stores the base's own weight beside the update of an embedding or a head, and trained biases.
      for (const std::string wrapper : {".base_layer", ".modules_to_save"}) {
        for (const std::string end : {".weight", ".bias"}) {
          if (!rest.ends_with(wrapper + end)) continue;
          rest = rest.substr(0, rest.size() - wrapper.size() - end.size()) + end;
        }
      }
      // ".lora_" that is neither half is no tensor of the base.
      if (rest.find(".lora_") != std::string::npos) fail_unknown(name);
      note_replacement(name, rest);
    }

    if (linear.empty() && embedding.empty() && adapter.replacements_.empty())
      throw Error(Code::invalid_adapter, path + " adapts no module of the base model", {{"file", path}});

    const auto check = [&](const std::string& whole, const std::string& module, const Halves& halves, int64_t layer,
                           bool is_parameter) {
      const std::string& name = halves.a.empty() ? halves.b : halves.a;
      if (halves.a.empty() || halves.b.empty()) {
        throw Error(Code::invalid_adapter,
                    path + ": " + module + " has lora_" + (halves.a.empty() ? "B without lora_A" : "A without lora_B"),
                    {{"file", path}, {"tensor", module}});
      }
      const bool is_head =
          std::find(spec.head_names.begin(), spec.head_names.end(), whole) != spec.head_names.end();
      // With tied weights the update of an embedding stands in the file once more, for the head.
      if (is_parameter || adapter.config_.adapts(whole, layer) || (is_head && adapter.config_.tied_replacement)) return;
      const bool in_layers = adapter.config_.layers.empty() ||
                             std::binary_search(adapter.config_.layers.begin(), adapter.config_.layers.end(), layer);
      const std::string field = in_layers ? "target_modules" : "layers_to_transform";
      fail(name, "is not among " + field + " of adapter_config.json", {{"field", field}});
    };
    for (const auto& [whole, halves] : linear) {
      if (!module_at(whole)) fail_unknown(halves.a.empty() ? halves.b : halves.a);
    }
    using Place = std::tuple<int64_t, Role, int64_t>;  // layer by layer, as the forward pass meets them; the head first
    std::map<Place, std::pair<std::string, Module>> modules;
    for (const auto& [whole, halves] : linear) {
      auto module = module_at(whole);
      check(whole, module->name, halves, module->layer, module->key != whole);
      const Place place{module->layer, module->roles.empty() ? Role::q : module->roles.front(), module->expert};
      const std::string name = module->name;  // two spellings of one module
      if (!modules.emplace(place, std::pair(whole, std::move(*module))).second)
        fail(halves.a, "and another one both adapt " + name);
    }
    for (const auto& entry : modules) {
      const auto& [whole, module] = entry.second;
      module.stacked ? read_stacked(module, linear.at(whole)) : read_update(module, linear.at(whole));
    }
    for (const auto& [whole, halves] : embedding) {
      if (!is_embedding(whole)) fail_unknown(halves.a.empty() ? halves.b : halves.a);
      check(whole, spec.names.embedding, halves, -1, false);
      if (adapter.embedding_) fail(halves.a, "and another one both adapt " + spec.names.embedding);
      read_embedding(whole, halves);
    }
    require_all_targets(linear);
    require_all_replaced();
  }
};

Adapter::Adapter(const std::string& folder, const ModelSpec& spec, const std::string& prefix, const Job& job) {
  if (!is_directory(folder))
    throw Error(Code::file_not_found, "no such folder: " + folder, {{"file", folder}});
  const std::string config_path = folder + "/adapter_config.json";
  config_ = parse_adapter_config(read_small_file(config_path, ConfigReader::kMaxBytes), config_path);
  const std::string path = folder + "/adapter_model.safetensors";
  if (!is_file(path) && is_file(folder + "/adapter_model.bin")) {
    throw Error(Code::file_not_found,
                folder + " holds adapter_model.bin only; pickles are never opened, save it as safetensors",
                {{"file", path}});
  }
  file_ = std::make_unique<Checkpoint>(Checkpoint::single_file(path));
  Reader{*this, spec, prefix, path, job}.read();
}

const LowRank* Adapter::find(int64_t layer, Role role, int64_t expert) const {
  const auto found = updates_.find({layer, static_cast<int64_t>(role), expert});
  return found == updates_.end() ? nullptr : &found->second;
}

Weight Adapter::replacement(const std::string& tensor) const {
  const auto found = replacements_.find(tensor);
  return found == replacements_.end() ? Weight{} : Weight{file_.get(), found->second.tensor};
}

}  // namespace deltascope
