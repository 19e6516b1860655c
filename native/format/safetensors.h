#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "format/data_file.h"

namespace deltascope {

/// One tensor of a file: where its bytes are and what they mean. Row-major, little-endian, possibly
/// unaligned.
struct TensorInfo {
  DType dtype;
  std::vector<int64_t> shape;
  size_t offset = 0;  // from the start of the file
  size_t bytes = 0;

  int64_t elements() const;
};

/// "[2, 3]", for messages.
std::string describe(const std::vector<int64_t>& shape);

/// A safetensors file. Every number of its header is checked against the file before anything is
/// read: header ≤ 16 MiB, ≤ 100,000 tensors, names ≤ 512 printable bytes, rank ≤ 8, dimensions < 2^31, sizes
/// agree with shapes, and the tensors cover the data exactly, without hole or overlap. Source: the format's
/// specification, github.com/huggingface/safetensors.
class Safetensors {
 public:
  /// Throws INVALID_SAFETENSORS, FILE_NOT_FOUND, FILE_UNREADABLE.
  explicit Safetensors(const std::string& path);

  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// All bytes of a tensor. Throws FILE_CHANGED when they are not there any more.
  std::vector<uint8_t> contents(const TensorInfo& tensor) const;
  const DataFile& file() const { return file_; }

 private:
  DataFile file_;
  std::map<std::string, TensorInfo> tensors_;
};

/// Checks a header against the size of the data behind it and lists its tensors, offsets counted from the
/// start of the data. Pure, so that a fuzzer can call it. `where` is named in errors.
std::map<std::string, TensorInfo> parse_safetensors_header(std::string_view header, uint64_t data_bytes,
                                                           const std::string& where);

}  // namespace deltascope
