#include "decode/decode_weights.h"

#include <algorithm>

#include "models/apply_norm.h"
#include "ops/activation.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/row_product.h"

namespace deltascope {
namespace {

constexpr int64_t kHeadRows = 4096;  // of a head that is not kept, read together
constexpr Role kExpertRoles[] = {Role::gate, Role::up, Role::down};

size_t expert_index(Role role) { return role == Role::gate ? 0 : (role == Role::up ? 1 : 2); }

int64_t kept_bytes(const Weight& weight, int64_t values, Precision precision) {
  return values * (precision == Precision::bfloat16 ? 2 : size_of(weight.tensor->dtype));
}

}  // namespace

DecodeWeights::DecodeWeights(const Model& model, int64_t budget, const Job& job) : model_(model) {
  const ModelSpec& spec = model.spec();
  model.require_unchanged();
  int64_t ignored = 0;
  final_norm_ = read_norm(model.final_norm(), spec.norm_plus_one, ignored);
  if (const Adapter* adapter = model.adapter()) {
    const auto unpacked = [](const PackedMatrix& packed) {
      RowMatrix rows;
      rows.reset(packed.out(), packed.in(), DType::f32);
      packed.copy_rows(reinterpret_cast<float*>(rows.row(0)));
      return rows;
    };
    const auto add = [&](const LowRank* update, Update& to) {
      if (update != nullptr) to = {update->scale, unpacked(update->a), unpacked(update->b)};
    };
    for (int64_t layer = 0; layer < spec.layers; ++layer) {
      for (const Role role : kRoles) {
        for (int64_t expert = -1; expert < spec.experts; ++expert) {
          const LowRank* update = adapter->find(layer, role, expert);
          if (update != nullptr) add(update, updates_[{layer, static_cast<int64_t>(role), expert}]);
        }
      }
    }
    add(adapter->head(), head_update_);
  }
  const int64_t head_bytes = kept_bytes(model.head(), spec.vocab_size * spec.d_model, Precision::float32);
  if (head_bytes <= budget) {
    read_rows({model.head(), {}, 0}, spec.vocab_size, spec.d_model, false, Precision::float32, job, head_);
    budget -= head_bytes;
  }
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    budget -= bytes_of_block(model, layer);
    if (budget < 0) break;
    Block& block = kept_.emplace_back();
    load(block, layer, job);
    block.experts.resize(model.block(layer).experts.size());
    for (size_t i = 0; i < block.experts.size(); ++i)
      load_expert(block.experts[i], layer, static_cast<int64_t>(i), job);
  }
}

int64_t DecodeWeights::bytes_of_block(const Model& model, int64_t layer) {
  const ModelSpec& spec = model.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  int64_t bytes = 0;
  const auto add = [&](const LinearWeight& linear, Role role) {
    if (!linear.weight) return;
    const auto [out, in] = linear_shape(spec, own, role);
    bytes +=
        kept_bytes(linear.weight, out * in, model.precision()) + out * static_cast<int64_t>(sizeof(float));
  };
  for (const Role role : kRoles) add(model.block(layer).linear[static_cast<size_t>(role)], role);
  for (const auto& expert : model.block(layer).experts) {
    for (const Role role : kExpertRoles) add(expert[expert_index(role)], role);
  }
  return bytes;
}

int64_t DecodeWeights::bytes(const Model& model) {
  const ModelSpec& spec = model.spec();
  int64_t bytes = kept_bytes(model.head(), spec.vocab_size * spec.d_model, Precision::float32);
  for (int64_t layer = 0; layer < spec.layers; ++layer) bytes += bytes_of_block(model, layer);
  return bytes;
}

void DecodeWeights::load(Block& block, int64_t layer, const Job& job) const {
  const ModelSpec& spec = model_.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer)];
  model_.require_unchanged();
  int64_t ignored = 0;
  block.norms.load(model_, layer, ignored);
  for (const Role role : kRoles) {
    const LinearWeight& linear = model_.block(layer).linear[static_cast<size_t>(role)];
    Linear& to = block.linear[static_cast<size_t>(role)];
    if (!linear.weight) {
      to = {};
      continue;
    }
    const auto [out, in] = linear_shape(spec, own, role);
    read_rows(linear, out, in, spec.input_major, model_.precision(), job, to.weight);
    to.bias.resize(linear.bias ? static_cast<size_t>(out) : 0);
    if (linear.bias) read_weights(linear.bias, linear.first_row, out, to.bias.data());
  }
}

void DecodeWeights::load_expert(std::array<RowMatrix, 3>& expert, int64_t layer, int64_t number,
                                const Job& job) const {
  const ModelSpec& spec = model_.spec();
  for (const Role role : kExpertRoles) {
    const auto [out, in] = linear_shape(spec, spec.blocks[static_cast<size_t>(layer)], role);
    read_rows(model_.expert(layer, number, role), out, in, spec.input_major, model_.precision(), job,
              expert[expert_index(role)]);
  }
}

void DecodeWeights::begin_block(int64_t layer, const Job& job) {
  layer_ = layer;
  expert_ = nullptr;
  if (layer < static_cast<int64_t>(kept_.size())) {
    at_ = &kept_[static_cast<size_t>(layer)];
    return;
  }
  load(passing_, layer, job);
  at_ = &passing_;
  if (layer + 1 < model_.spec().layers) prefetch_layer(model_, layer + 1);
}

void DecodeWeights::begin_expert(int64_t expert, const Job& job) {
  if (!at_->experts.empty()) {
    expert_ = &at_->experts[static_cast<size_t>(expert)];
    return;
  }
  load_expert(passing_expert_, layer_, expert, job);
  expert_ = &passing_expert_;
}

/// What a product of the model's precision sees of x.
const float* DecodeWeights::rounded(const float* x, int64_t rows, int64_t in) {
  if (model_.precision() == Precision::float32) return x;
  const auto count = static_cast<size_t>(rows * in);
  rounded_.resize(count);
  widened_.resize(count);
  round_to_bf16(x, in, rounded_.data(), rows, in);
  convert_to_f32({reinterpret_cast<const uint8_t*>(rounded_.data()), count * sizeof(uint16_t)}, DType::bf16,
                 widened_.data(), rows * in);
  return widened_.data();
}

const DecodeWeights::Update* DecodeWeights::find_update(Role role, int64_t expert) const {
  const auto found = updates_.find({layer_, static_cast<int64_t>(role), expert});
  return found == updates_.end() ? nullptr : &found->second;
}

void DecodeWeights::add_update(const Update* update, const float* x, float* y, int64_t rows, int64_t out,
                               const Job& job) {
  if (update == nullptr || !update->a) return;
  const int64_t rank = update->a.out();
  inner_.resize(static_cast<size_t>(rows * rank));
  outer_.resize(static_cast<size_t>(rows * out));
  row_product(update->a, x, update->a.in(), inner_.data(), rank, rows, job);
  row_product(update->b, inner_.data(), rank, outer_.data(), out, rows, job);
  add_scaled(y, out, outer_.data(), out, update->scale, rows, out);
}

void DecodeWeights::linear(Role role, const float* x, float* y, int64_t rows, const Job& job) {
  const Linear& linear = at_->linear[static_cast<size_t>(role)];
  const int64_t out = linear.weight.out(), in = linear.weight.in();
  row_product(linear.weight, rounded(x, rows, in), in, y, out, rows, job);
  if (!linear.bias.empty()) add_bias(y, out, linear.bias.data(), rows, out);
  add_update(find_update(role, -1), x, y, rows, out, job);
}

void DecodeWeights::expert_linear(int64_t expert, Role role, const float* x, float* y, int64_t rows,
                                  const Job& job) {
  const RowMatrix& weight = (*expert_)[expert_index(role)];
  row_product(weight, rounded(x, rows, weight.in()), weight.in(), y, weight.out(), rows, job);
  add_update(find_update(role, expert), x, y, rows, weight.out(), job);
}

void DecodeWeights::logits(const float* x, float* out, int64_t rows, const Job& job) {
  const ModelSpec& spec = model_.spec();
  const int64_t d = spec.d_model, vocabulary = spec.vocab_size;
  normed_.resize(static_cast<size_t>(rows * d));
  apply_norm(spec, final_norm_, x, normed_.data(), rows, d);
  if (head_) {
    row_product(head_, normed_.data(), d, out, vocabulary, rows, job);
  } else {
    RowMatrix piece;
    for (int64_t first = 0; first < vocabulary; first += kHeadRows) {
      const int64_t count = std::min(kHeadRows, vocabulary - first);
      read_rows({model_.head(), {}, first}, count, d, false, Precision::float32, job, piece);
      row_product(piece, normed_.data(), d, out + first, vocabulary, rows, job);
    }
  }
  add_update(&head_update_, normed_.data(), out, rows, vocabulary, job);
  if (spec.logit_softcap > 0) soft_cap(out, rows * vocabulary, spec.logit_softcap);
}

}  // namespace deltascope
