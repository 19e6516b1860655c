#include <algorithm>
#include <optional>

#include "format/safetensors.h"
#include "target.h"
#include "temporary_folder.h"

namespace deltascope::fuzz {
namespace {

/// Worked out from dtype and shape; 2^64 - 1 where that does not fit.
uint64_t bytes_of(const TensorInfo& info) {
  if (std::find(info.shape.begin(), info.shape.end(), 0) != info.shape.end()) return 0;
  auto bytes = static_cast<uint64_t>(size_of(info.dtype));
  for (const int64_t dimension : info.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes)) return UINT64_MAX;
  }
  return bytes;
}

/// Every promise of Safetensors about what it accepts. `data_bytes` stand behind the header.
void check(const std::map<std::string, TensorInfo>& tensors, uint64_t data_bytes) {
  require(tensors.size() <= 100'000, "at most 100,000 tensors");
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (const auto& [tensor, info] : tensors) {
    require(!tensor.empty() && tensor.size() <= 512 && is_presentable(tensor),
            "names are short and printable");
    require(info.shape.size() <= 8, "rank ≤ 8");
    for (const int64_t dimension : info.shape)
      require(dimension >= 0 && dimension < int64_t{1} << 31, "dimensions < 2^31");
    require(bytes_of(info) == info.bytes, "sizes agree with shapes");
    require(info.elements() * size_of(info.dtype) == static_cast<int64_t>(info.bytes),
            "elements fill the bytes");
    spans.emplace_back(info.offset, info.bytes);
  }
  std::sort(spans.begin(), spans.end());
  uint64_t next = 0;
  for (const auto& [offset, bytes] : spans) {
    require(offset == next, "tensors cover the data without hole or overlap");
    next += bytes;
  }
  require(next == data_bytes, "tensors cover all of the data");
}

uint64_t leading_number(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 8; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

void check_header(std::string_view bytes) {
  const uint64_t data_bytes = leading_number(bytes);
  std::map<std::string, TensorInfo> tensors;
  if (accepts([&] { tensors = parse_safetensors_header(bytes.substr(8), data_bytes, "x"); },
              {Code::invalid_safetensors})) {
    check(tensors, data_bytes);
  }
}

void check_file(std::string_view bytes) {
  static const test::TemporaryFolder folder;
  folder.write("x.safetensors", bytes);
  std::optional<Safetensors> file;
  if (!accepts([&] { file.emplace(folder.path("x.safetensors")); }, {Code::invalid_safetensors})) return;

  const size_t data = 8 + leading_number(bytes);
  auto tensors = file->tensors();
  for (auto& entry : tensors) {
    const std::vector<uint8_t> contents = file->contents(entry.second);
    require(contents.size() == entry.second.bytes, "all of a tensor is read");
    const std::string_view place = bytes.substr(entry.second.offset, entry.second.bytes);
    const auto same = [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); };
    require(std::equal(contents.begin(), contents.end(), place.begin(), place.end(), same),
            "a tensor holds the bytes of its place in the file");
    entry.second.offset -= data;
  }
  check(tensors, bytes.size() - data);
}

}  // namespace

void safetensors(std::string_view bytes) {
  if (bytes.size() >= 8) check_header(bytes);
  check_file(bytes);
}

}  // namespace deltascope::fuzz
