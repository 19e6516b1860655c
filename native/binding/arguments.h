#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/job.h"
#include "models/model.h"
#include "models/prefix_tree.h"

namespace deltascope {

/// What JavaScript holds of an opened model. Computations keep the model alive by a reference of their own,
/// so closing during one is safe.
struct ModelHandle {
  std::shared_ptr<const Model> model;
  int threads = 1;
};

/// Arguments of an addon function, checked a second time behind the façade: a wrong one throws a TypeError,
/// never crashes.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  std::string text(size_t index) const;
  int64_t integer(size_t index, int64_t low, int64_t high) const;
  /// Finite.
  double number(size_t index) const;
  bool boolean(size_t index) const;
  std::vector<int64_t> integers(size_t index) const;
  std::vector<int32_t> ids(size_t index) const;
  std::vector<float> floats(size_t index) const;
  std::vector<double> doubles(size_t index) const;
  /// Throws when the model was closed.
  ModelHandle& model(size_t index) const;
  std::shared_ptr<Job> job(size_t index) const;

 private:
  [[noreturn]] void fail(size_t index, const std::string& expected) const;
  Napi::Value at(size_t index) const { return info_[index]; }

  const Napi::CallbackInfo& info_;
};

/// Token sequences copied in, checked to be a proper cut of the ids.
struct OwnedTokens {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets;
  TokenBatch view() const { return {ids, offsets}; }
};
OwnedTokens read_tokens(const Arguments& arguments, size_t ids, size_t offsets);
uint64_t longest_sequence(const OwnedTokens& tokens);

/// [vectors, d_model] float32, copied in. Throws INVALID_ARGUMENT for any other number of values.
std::vector<float> read_vectors(const Arguments& arguments, size_t index, int64_t d_model);

/// Refuses a result before it is computed: throws INVALID_ARGUMENT when one array of rows · columns values
/// would take more than 4 GiB.
void require_array(const char* what, uint64_t rows, uint64_t columns, uint64_t value_bytes);

/// A typed array over the vector's memory, which moves into it. V8 counts its bytes as external memory, so
/// large results are collected in time. Such an array can be cloned for another thread, but not transferred
/// to one.
Napi::Value take(Napi::Env env, std::vector<float> values);
Napi::Value take(Napi::Env env, std::vector<double> values);
Napi::Value take(Napi::Env env, std::vector<int32_t> values);

/// The same for each row.
template <typename T>
Napi::Value take_all(Napi::Env env, std::vector<std::vector<T>> rows) {
  Napi::Array result = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); ++i) result.Set(i, take(env, std::move(rows[i])));
  return result;
}

Napi::Value wrap(Napi::Env env, std::unique_ptr<ModelHandle> handle);
Napi::Value wrap(Napi::Env env, std::shared_ptr<Job> job);

}  // namespace deltascope
