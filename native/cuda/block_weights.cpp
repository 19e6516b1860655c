#include "cuda/block_weights.h"

#include <algorithm>
#include <vector>

#include "models/layer_weights.h"

namespace deltascope::cuda {
namespace {

int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

constexpr Role kExpertRoles[] = {Role::gate, Role::up, Role::down};

}  // namespace

/// visit.norm(site, weight, offset), visit.linear(role, weight, shape, offset), visit.bias(role, weight, count, offset), for all
/// that is there; returns nothing, the bytes are visit.bytes.
template <typename Visit>
void BlockLayout::visit(const Visit& visit) const {
  const ModelSpec& spec = model_.spec();
  const BlockSpec& own = spec.blocks[static_cast<size_t>(layer_)];
  const Model::BlockTensors& block = model_.block(layer_);
  int64_t at = 0;
  const std::pair<NormSite, const NormWeight&> norms[] = {
      {NormSite::before_attention, block.norm_before_attention}, {NormSite::after_attention, block.norm_after_attention},
      {NormSite::before_mlp, block.norm_before_mlp},             {NormSite::after_mlp, block.norm_after_mlp},
      {NormSite::q, block.q_norm},                               {NormSite::k, block.k_norm}};
  for (const auto& [site, weight] : norms) {
    if (!weight) continue;
    const int64_t bytes = aligned(weight.weight.tensor->elements() * static_cast<int64_t>(sizeof(float)));
    visit.norm(site, weight, at, at + bytes);
    at += weight.bias ? 2 * bytes : bytes;
  }
  for (const Role role : kRoles) {
    const LinearWeight& linear = block.linear[static_cast<size_t>(role)];
    if (!linear.weight) continue;
    const LinearShape shape = linear_shape(spec, own, role);
    visit.linear(role, linear, shape, at);
    at += aligned(shape.out * shape.in * size_of(row_dtype(linear.weight, model_.precision())));
    if (!linear.bias) continue;
    visit.bias(role, linear, shape.out, at);
    at += aligned(shape.out * static_cast<int64_t>(sizeof(float)));
  }
  visit.end(at);
}

BlockLayout::BlockLayout(const Model& model, int64_t layer) : model_(model), layer_(layer) {
  struct {
    int64_t* bytes;
    void norm(NormSite, const NormWeight&, int64_t, int64_t) const {}
    void linear(Role, const LinearWeight&, const LinearShape&, int64_t) const {}
    void bias(Role, const LinearWeight&, int64_t, int64_t) const {}
    void end(int64_t at) const { *bytes = at; }
  } measure{&bytes_};
  visit(measure);
}

int64_t BlockLayout::read(const Job& job, uint8_t* to) const {
  model_.require_unchanged();
  int64_t not_finite = 0;
  struct {
    const Model& model;
    const Job& job;
    uint8_t* to;
    int64_t& not_finite;

    void norm(NormSite, const NormWeight& weight, int64_t gamma, int64_t beta) const {
      const NormValues values = read_norm(weight, model.spec().norm_plus_one, not_finite);
      std::copy(values.gamma.begin(), values.gamma.end(), reinterpret_cast<float*>(to + gamma));
      std::copy(values.beta.begin(), values.beta.end(), reinterpret_cast<float*>(to + beta));
    }
    void linear(Role, const LinearWeight& weight, const LinearShape& shape, int64_t at) const {
      not_finite += read_rows(weight, shape.out, shape.in, model.spec().input_major, model.precision(), job, to + at);
    }
    void bias(Role, const LinearWeight& weight, int64_t count, int64_t at) const {
      not_finite += read_weights(weight.bias, weight.first_row, count, reinterpret_cast<float*>(to + at));
    }
    void end(int64_t) const {}
  } fill{model_, job, to, not_finite};
  visit(fill);
  return not_finite;
}

Block BlockLayout::at(const uint8_t* memory) const {
  Block block;
  struct {
    const Model& model;
    const uint8_t* memory;
    Block& block;

    const float* floats(int64_t at) const { return reinterpret_cast<const float*>(memory + at); }
    void norm(NormSite site, const NormWeight& weight, int64_t gamma, int64_t beta) const {
      block.norms[static_cast<size_t>(site)] = {floats(gamma), weight.bias ? floats(beta) : nullptr};
    }
    void linear(Role role, const LinearWeight& weight, const LinearShape& shape, int64_t at) const {
      block.linear[static_cast<size_t>(role)] = {memory + at, row_dtype(weight.weight, model.precision()), shape.out, shape.in};
    }
    void bias(Role role, const LinearWeight&, int64_t, int64_t at) const { block.bias[static_cast<size_t>(role)] = floats(at); }
    void end(int64_t) const {}
  } look{model_, memory, block};
  visit(look);
  return block;
}

/// visit(role, weight, shape, offset); returns nothing.
template <typename Visit>
void ExpertLayout::visit(const Visit& visit) const {
  const ModelSpec& spec = model_.spec();
  int64_t at = 0;
  for (const Role role : kExpertRoles) {
    const LinearWeight& weight = model_.expert(layer_, expert_, role);
    const LinearShape shape = linear_shape(spec, spec.blocks[static_cast<size_t>(layer_)], role);
    const int64_t bytes = aligned(shape.out * shape.in * size_of(row_dtype(weight.weight, model_.precision())));
    visit(role, weight, shape, at, at + bytes);
    at += bytes;
  }
}

int64_t ExpertLayout::bytes() const {
  int64_t bytes = 0;
  visit([&](Role, const LinearWeight&, const LinearShape&, int64_t, int64_t end) { bytes = end; });
  return bytes;
}

int64_t ExpertLayout::read(const Job& job, uint8_t* to) const {
  int64_t not_finite = 0;
  visit([&](Role, const LinearWeight& weight, const LinearShape& shape, int64_t at, int64_t) {
    not_finite += read_rows(weight, shape.out, shape.in, model_.spec().input_major, model_.precision(), job, to + at);
  });
  return not_finite;
}

Expert ExpertLayout::at(const uint8_t* memory) const {
  Expert expert;
  visit([&](Role role, const LinearWeight& weight, const LinearShape& shape, int64_t at, int64_t) {
    expert.linear[static_cast<size_t>(role)] = {memory + at, row_dtype(weight.weight, model_.precision()), shape.out, shape.in};
  });
  return expert;
}

Stage::~Stage() {
  // Memory is not given back while a copy still writes to it.
  (void)cudaStreamSynchronize(machine_.transfer.get());
  (void)cudaStreamSynchronize(machine_.stream());
}

void Stage::reserve(int64_t bytes) {
  for (Piece& piece : pieces_) {
    if (piece.host.size() >= bytes && piece.device.size() >= bytes) continue;
    wait(machine_.transfer.get());
    piece.host.reserve(bytes);
    piece.device.reserve(bytes);
  }
}

Stage::Piece& Stage::turn(int64_t bytes) {
  // All that was asked so far may use the piece of the last turn.
  check(cudaEventRecord(pieces_[at_].free.get(), machine_.stream()), "cudaEventRecord");
  at_ = 1 - at_;
  Piece& piece = pieces_[at_];
  check(cudaEventSynchronize(piece.free.get()), "cudaEventSynchronize");
  check(cudaEventSynchronize(piece.there.get()), "cudaEventSynchronize");
  piece.host.reserve(bytes);
  piece.device.reserve(bytes);
  return piece;
}

const uint8_t* Stage::send(Piece& piece, int64_t bytes) {
  copy(piece.device.as<>(), piece.host.as<const uint8_t>(), bytes, machine_.transfer.get());
  check(cudaEventRecord(piece.there.get(), machine_.transfer.get()), "cudaEventRecord");
  check(cudaStreamWaitEvent(machine_.stream(), piece.there.get(), 0), "cudaStreamWaitEvent");
  return piece.device.as<>();
}

}  // namespace deltascope::cuda
