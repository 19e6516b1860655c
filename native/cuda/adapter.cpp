#include "cuda/adapter.h"

#include <vector>

namespace deltascope::cuda {
namespace {

int64_t padded(int64_t values) { return (values + 63) / 64 * 64; }

}  // namespace

DeviceAdapter::DeviceAdapter(Machine& machine, const Model& model, Part part) {
  const Adapter* adapter = model.adapter();
  if (adapter == nullptr) return;
  const ModelSpec& spec = model.spec();
  std::vector<std::pair<const LowRank*, Update*>> all;
  const auto add = [&](const LowRank* from, Update& to) {
    to = {nullptr, nullptr, from->rank, from->scale};
    all.emplace_back(from, &to);
  };
  for (int64_t layer = 0; part == Part::blocks && layer < spec.layers; ++layer) {
    for (const Role role : kRoles) {
      for (int64_t expert = -1; expert < spec.experts; ++expert) {
        if (const LowRank* update = adapter->find(layer, role, expert))
          add(update, updates_[{layer, static_cast<int64_t>(role), expert}]);
      }
    }
  }
  if (part == Part::head && adapter->head() != nullptr) add(adapter->head(), head_);
  int64_t values = 0;
  for (const auto& [from, to] : all) values += padded(from->rank * from->a.in()) + padded(from->b.out() * from->rank);
  if (values == 0) return;
  memory_.reserve(values * static_cast<int64_t>(sizeof(float)));
  float* at = memory_.as<float>();
  std::vector<float> dense;
  const auto put = [&](const PackedMatrix& matrix) {
    const int64_t count = matrix.out() * matrix.in();
    dense.resize(static_cast<size_t>(count));
    matrix.copy_rows(dense.data());
    copy(at, static_cast<const float*>(dense.data()), count, machine.stream());
    wait(machine.stream());
    const float* there = at;
    at += padded(count);
    return there;
  };
  for (const auto& [from, to] : all) {
    to->a = put(from->a);
    to->b = put(from->b);
  }
}

const Update* DeviceAdapter::find(int64_t layer, Role role, int64_t expert) const {
  const auto found = updates_.find({layer, static_cast<int64_t>(role), expert});
  return found == updates_.end() ? nullptr : &found->second;
}

}  // namespace deltascope::cuda
