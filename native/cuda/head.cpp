#include "cuda/head.h"

#include "cuda/kernels.h"
#include "models/layer_weights.h"

namespace deltascope::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kTogether = 4096;  // rows that are read together

}  // namespace

Head::Head(std::shared_ptr<Machine> machine, const Model& model)
    : machine_(std::move(machine)),
      model_(model),
      vocabulary_(model.spec().vocab_size),
      dtype_(row_dtype(model.head(), Precision::float32)),
      adapter_(*machine_, model, DeviceAdapter::Part::head) {
  const int64_t d = model.spec().d_model;
  int64_t ignored = 0;
  const NormValues norm = read_norm(model.final_norm(), model.spec().norm_plus_one, ignored);
  factors_.reserve(2 * d * kFloat);
  copy(factors_.as<float>(), norm.gamma.data(), static_cast<int64_t>(norm.gamma.size()), machine_->stream());
  copy(factors_.as<float>() + d, norm.beta.data(), static_cast<int64_t>(norm.beta.size()), machine_->stream());
  wait(machine_->stream());
}

int64_t Head::weight_bytes(const Model& model) {
  return model.spec().vocab_size * model.spec().d_model * size_of(row_dtype(model.head(), Precision::float32));
}

void Head::keep(int64_t room, const Job& job) {
  DeviceBytes memory;
  if (weight_bytes(model_) > room || !try_reserve(memory, weight_bytes(model_))) return;
  Stage stage(*machine_);
  visit(kTogether, stage, job, [&](const Matrix& rows, int64_t first) {
    copy(memory.as<>() + first * rows.in * size_of(dtype_), static_cast<const uint8_t*>(rows.values),
         rows.out * rows.in * size_of(dtype_), machine_->stream());
  });
  memory_ = std::move(memory);
  kept_ = {memory_.as<void>(), dtype_, vocabulary_, model_.spec().d_model};
}

void Head::norm(const float* x, float* y, int64_t rows) const {
  const ModelSpec& spec = model_.spec();
  const auto* gamma = factors_.as<float>();
  if (spec.norm == deltascope::Norm::rms) {
    rms_norm(x, gamma, spec.norm_eps, y, rows, spec.d_model, machine_->stream());
  } else {
    layer_norm(x, gamma, gamma + spec.d_model, spec.norm_eps, y, rows, spec.d_model, machine_->stream());
  }
}

Matrix Head::kept_rows(int64_t first, int64_t count) const {
  return {static_cast<const uint8_t*>(kept_.values) + first * kept_.in * size_of(dtype_), dtype_, count, kept_.in};
}

Matrix Head::bring(int64_t first, int64_t count, Stage& stage, const Job& job) const {
  const int64_t d = model_.spec().d_model;
  const uint8_t* rows = stage.bring(count * d * size_of(dtype_), [&](uint8_t* to) {
    read_rows({model_.head(), {}, first}, count, d, false, Precision::float32, job, to);
  });
  return {rows, dtype_, count, d};
}

}  // namespace deltascope::cuda
