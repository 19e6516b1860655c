#include "binding/arguments.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"

namespace deltascope {
namespace {

// Told apart from any other External, also from those of other addons.
constexpr napi_type_tag kModelTag = {0x64656c7461736370, 0x6d6f64656c000001};
constexpr napi_type_tag kJobTag = {0x64656c7461736370, 0x6a6f620000000001};

template <typename T>
T* unwrap(const Napi::Value& value, const napi_type_tag& tag) {
  if (!value.IsExternal()) return nullptr;
  const auto external = value.As<Napi::External<T>>();
  return external.CheckTypeTag(&tag) ? external.Data() : nullptr;
}

template <typename Array, typename T>
Napi::Value take_as(Napi::Env env, std::vector<T> values) {
  const size_t count = values.size();
  if (count == 0) return Array::New(env, 0);
  auto* owned = new std::vector<T>(std::move(values));
  const auto release = [](Napi::Env, void*, std::vector<T>* vector) { delete vector; };
  const auto buffer = Napi::ArrayBuffer::New(env, owned->data(), count * sizeof(T), release, owned);
  return Array::New(env, count, buffer, 0);
}

}  // namespace

void Arguments::fail(size_t index, const std::string& expected) const {
  throw Napi::TypeError::New(info_.Env(),
                             "argument " + std::to_string(index) + ": " + expected + " is expected");
}

std::string Arguments::text(size_t index) const {
  if (!at(index).IsString()) fail(index, "a string");
  return at(index).As<Napi::String>().Utf8Value();
}

int64_t Arguments::integer(size_t index, int64_t low, int64_t high) const {
  const std::string expected = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  if (!at(index).IsNumber()) fail(index, expected);
  const double value = at(index).As<Napi::Number>().DoubleValue();
  if (value != std::floor(value) || value < static_cast<double>(low) || value > static_cast<double>(high))
    fail(index, expected);
  return static_cast<int64_t>(value);
}

double Arguments::number(size_t index) const {
  if (!at(index).IsNumber() || !std::isfinite(at(index).As<Napi::Number>().DoubleValue())) fail(index, "a finite number");
  return at(index).As<Napi::Number>().DoubleValue();
}

bool Arguments::boolean(size_t index) const {
  if (!at(index).IsBoolean()) fail(index, "true or false");
  return at(index).As<Napi::Boolean>().Value();
}

std::vector<int64_t> Arguments::integers(size_t index) const {
  if (!at(index).IsTypedArray() || at(index).As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    fail(index, "a Float64Array");
  const auto array = at(index).As<Napi::Float64Array>();
  std::vector<int64_t> values;
  values.reserve(array.ElementLength());
  for (size_t i = 0; i < array.ElementLength(); ++i) {
    if (array[i] != std::floor(array[i]) || std::fabs(array[i]) > 0x1p53) fail(index, "whole numbers");
    values.push_back(static_cast<int64_t>(array[i]));
  }
  return values;
}

std::vector<int32_t> Arguments::ids(size_t index) const {
  if (!at(index).IsTypedArray() || at(index).As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    fail(index, "an Int32Array");
  const auto array = at(index).As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<float> Arguments::floats(size_t index) const {
  if (!at(index).IsTypedArray() || at(index).As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    fail(index, "a Float32Array");
  const auto array = at(index).As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<double> Arguments::doubles(size_t index) const {
  if (!at(index).IsTypedArray() || at(index).As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    fail(index, "a Float64Array");
  const auto array = at(index).As<Napi::Float64Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

ModelHandle& Arguments::model(size_t index) const {
  auto* handle = unwrap<ModelHandle>(at(index), kModelTag);
  if (handle == nullptr) fail(index, "a model");
  if (!handle->model) throw Napi::TypeError::New(info_.Env(), "the model was closed");
  return *handle;
}

std::shared_ptr<Job> Arguments::job(size_t index) const {
  auto* job = unwrap<std::shared_ptr<Job>>(at(index), kJobTag);
  if (job == nullptr) fail(index, "a job");
  return *job;
}

OwnedTokens read_tokens(const Arguments& arguments, size_t ids, size_t offsets) {
  OwnedTokens tokens{arguments.ids(ids), arguments.integers(offsets)};
  bool ok = !tokens.offsets.empty() && tokens.offsets.front() == 0 &&
            tokens.offsets.back() == static_cast<int64_t>(tokens.ids.size());
  for (size_t i = 1; ok && i < tokens.offsets.size(); ++i) ok = tokens.offsets[i - 1] <= tokens.offsets[i];
  if (!ok) throw Error(Code::invalid_argument, "offsets do not cut the token ids into sequences");
  return tokens;
}

std::vector<float> read_vectors(const Arguments& arguments, size_t index, int64_t d_model) {
  std::vector<float> vectors = arguments.floats(index);
  if (vectors.size() % static_cast<size_t>(d_model) != 0) {
    throw Error(Code::invalid_argument, "vectors of " + std::to_string(d_model) + " values are expected, found " +
                                            std::to_string(vectors.size()) + " values in all");
  }
  return vectors;
}

uint64_t longest_sequence(const OwnedTokens& tokens) {
  int64_t longest = 0;
  for (size_t i = 1; i < tokens.offsets.size(); ++i)
    longest = std::max(longest, tokens.offsets[i] - tokens.offsets[i - 1]);
  return static_cast<uint64_t>(longest);
}

void require_array(const char* what, uint64_t rows, uint64_t columns, uint64_t value_bytes) {
  constexpr uint64_t kMost = uint64_t{1} << 32;
  uint64_t bytes = 0;
  const bool counted =
      checked_multiply(rows, columns, &bytes) && checked_multiply(bytes, value_bytes, &bytes);
  if (counted && bytes <= kMost) return;
  const std::string found = counted ? std::to_string(bytes) : "more than 2^64";
  throw Error(Code::invalid_argument,
              std::string(what) + " would take " + found + " bytes in one array; at most " +
                  std::to_string(kMost) + " are returned",
              {{"expected", std::to_string(kMost)}, {"found", found}});
}

Napi::Value take(Napi::Env env, std::vector<float> values) {
  return take_as<Napi::Float32Array>(env, std::move(values));
}
Napi::Value take(Napi::Env env, std::vector<double> values) {
  return take_as<Napi::Float64Array>(env, std::move(values));
}
Napi::Value take(Napi::Env env, std::vector<int32_t> values) {
  return take_as<Napi::Int32Array>(env, std::move(values));
}

Napi::Value wrap(Napi::Env env, std::unique_ptr<ModelHandle> handle) {
  auto external = Napi::External<ModelHandle>::New(env, handle.release(),
                                                   [](Napi::Env, ModelHandle* data) { delete data; });
  external.TypeTag(&kModelTag);
  return external;
}

Napi::Value wrap(Napi::Env env, std::shared_ptr<Job> job) {
  auto external =
      Napi::External<std::shared_ptr<Job>>::New(env, new std::shared_ptr<Job>(std::move(job)),
                                                [](Napi::Env, std::shared_ptr<Job>* data) { delete data; });
  external.TypeTag(&kJobTag);
  return external;
}

}  // namespace deltascope
