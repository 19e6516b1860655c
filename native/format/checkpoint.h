#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "format/safetensors.h"

namespace deltascope {

/// The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json
/// names. Keeps account of which tensors were asked for, so that one left unread can be reported.
class Checkpoint {
 public:
  /// Opens and checks every shard. Throws FILE_NOT_FOUND (saying what a checkpoint folder holds),
  /// INVALID_SAFETENSORS, INVALID_WEIGHTS (index and shards disagree).
  explicit Checkpoint(const std::string& folder);

  /// Opens a single safetensors file as if it were a checkpoint: an adapter.
  static Checkpoint single_file(const std::string& path);

  /// A tensor of the given shape, marked as read. Throws INVALID_WEIGHTS when it is missing, of another shape
  /// or not a float32, float16 or bfloat16 tensor.
  const TensorInfo& require(const std::string& tensor, const std::vector<int64_t>& shape);

  /// The same without a demand on the shape; null when there is none. Marks it as read.
  const TensorInfo* find(const std::string& tensor);

  /// Names never asked for.
  std::vector<std::string> unread() const;

  /// Reads bytes first … first + count of a tensor. False when they are not there any more. Safe from any
  /// thread.
  bool read(const TensorInfo& tensor, size_t first, size_t count, void* out) const;
  void prefetch(const TensorInfo& tensor) const;

  /// Throws FILE_CHANGED when a shard was written to or cut since it was opened.
  void require_unchanged() const;

  /// Whether both read the very same files.
  bool same_files(const Checkpoint& other) const;

  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// The folder, or the single file.
  const std::string& path() const { return where_; }

 private:
  Checkpoint() = default;
  void add_shard(const std::string& path);

  std::string where_;
  std::vector<std::unique_ptr<Safetensors>> shards_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<const TensorInfo*, const Safetensors*> shard_of_;
  std::set<std::string> read_;
};

}  // namespace deltascope
