#include "format/safetensors.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/errors.h"
#include "format/strict_json.h"

namespace deltascope {
namespace {

constexpr uint64_t kMaxHeader = uint64_t{16} << 20;
constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxName = 512;
constexpr size_t kMaxRank = 8;
constexpr uint64_t kMaxDimension = uint64_t{1} << 31;

[[noreturn]] void fail(const std::string& where, const std::string& why, Error::Details details = {}) {
  details.insert(details.begin(), {"file", where});
  throw Error(Code::invalid_safetensors, where + ": " + why, std::move(details));
}

/// A name may be shown to people and written to logs, so it must be plain.
void check_name(const std::string& where, const std::string& tensor) {
  const auto printable = [](unsigned char c) { return c >= 0x20 && c != 0x7f; };
  if (tensor.empty() || tensor.size() > kMaxName || !std::all_of(tensor.begin(), tensor.end(), printable)) {
    fail(where,
         "a tensor name is empty, longer than " + std::to_string(kMaxName) + " bytes or not printable");
  }
}

TensorInfo read_entry(const std::string& where, const std::string& tensor, const nlohmann::json& entry,
                      uint64_t data_bytes) {
  const auto bad = [&](const std::string& why, const std::string& field) {
    fail(where, "tensor " + tensor + ": " + why, {{"tensor", tensor}, {"field", field}});
  };
  if (!entry.is_object()) bad("its entry is not an object", "");
  const auto dtype = entry.find("dtype"), shape = entry.find("shape"), offsets = entry.find("data_offsets");
  if (dtype == entry.end() || shape == entry.end() || offsets == entry.end()) {
    bad("dtype, shape and data_offsets are all required", "");
  }
  TensorInfo info{};
  if (!dtype->is_string() || !parse_container_name(dtype->get_ref<const std::string&>(), &info.dtype)) {
    bad("unknown dtype " + dtype->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 40),
        "dtype");
  }
  if (!shape->is_array() || shape->size() > kMaxRank)
    bad("shape must be a list of at most 8 numbers", "shape");
  uint64_t expected = static_cast<uint64_t>(size_of(info.dtype));
  for (const auto& dimension : *shape) {
    if (!dimension.is_number_unsigned() || dimension.get<uint64_t>() >= kMaxDimension) {
      bad("every dimension must be a whole number from 0 to 2^31 - 1", "shape");
    }
    const auto value = dimension.get<uint64_t>();
    if (!checked_multiply(expected, value, &expected)) bad("its size overflows", "shape");
    info.shape.push_back(static_cast<int64_t>(value));
  }
  if (!offsets->is_array() || offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned()) {
    bad("data_offsets must be two whole numbers", "data_offsets");
  }
  const auto begin = (*offsets)[0].get<uint64_t>(), end = (*offsets)[1].get<uint64_t>();
  if (begin > end || end > data_bytes) {
    fail(where,
         "tensor " + tensor + " ends at byte " + std::to_string(end) + " of " + std::to_string(data_bytes) +
             " bytes of data; the file is cut or wrong",
         {{"tensor", tensor},
          {"field", "data_offsets"},
          {"expected", std::to_string(data_bytes)},
          {"found", std::to_string(end)}});
  }
  if (end - begin != expected) {
    fail(where,
         "tensor " + tensor + " of shape " + describe(info.shape) + " needs " + std::to_string(expected) +
             " bytes, its offsets give " + std::to_string(end - begin),
         {{"tensor", tensor},
          {"field", "data_offsets"},
          {"expected", std::to_string(expected)},
          {"found", std::to_string(end - begin)}});
  }
  info.offset = begin;
  info.bytes = end - begin;
  return info;
}

}  // namespace

int64_t TensorInfo::elements() const { return static_cast<int64_t>(bytes) / size_of(dtype); }

std::string describe(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::map<std::string, TensorInfo> parse_safetensors_header(std::string_view header, uint64_t data_bytes,
                                                           const std::string& where) {
  if (header.empty() || header.front() != '{') fail(where, "the header does not start with {");
  const JsonDocument document = parse_strict_json(header, Code::invalid_safetensors, where);
  const nlohmann::json& json = document.root();
  if (!json.is_object()) fail(where, "the header is not an object");
  if (json.size() > kMaxTensors) fail(where, "more than 100,000 tensors");

  std::map<std::string, TensorInfo> tensors;
  for (const auto& [tensor, entry] : json.items()) {
    if (tensor == "__metadata__") {
      const bool plain = entry.is_object() &&
                         std::all_of(entry.begin(), entry.end(), [](const auto& v) { return v.is_string(); });
      if (!plain) fail(where, "__metadata__ must map strings to strings");
      continue;
    }
    check_name(where, tensor);
    tensors.emplace(tensor, read_entry(where, tensor, entry, data_bytes));
  }

  std::vector<const TensorInfo*> order;
  for (const auto& entry : tensors) order.push_back(&entry.second);
  std::sort(order.begin(), order.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes;
  });
  uint64_t next = 0;
  for (const TensorInfo* tensor : order) {
    if (tensor->offset != next) {
      fail(where, "tensors overlap or leave a hole at byte " + std::to_string(next) + " of the data",
           {{"expected", std::to_string(next)}, {"found", std::to_string(tensor->offset)}});
    }
    next += tensor->bytes;
  }
  if (next != data_bytes) {
    fail(where,
         "tensors cover " + std::to_string(next) + " of " + std::to_string(data_bytes) + " bytes of data",
         {{"expected", std::to_string(data_bytes)}, {"found", std::to_string(next)}});
  }
  return tensors;
}

Safetensors::Safetensors(const std::string& path) : file_(path) {
  uint8_t length[8];
  if (file_.size() < 8 || !file_.read(0, 8, length)) {
    fail(path, "has " + std::to_string(file_.size()) + " bytes; a safetensors file has at least 8");
  }
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
  if (header_bytes > kMaxHeader || header_bytes > file_.size() - 8) {
    fail(path,
         "its header claims " + std::to_string(header_bytes) + " bytes; the file has " +
             std::to_string(file_.size()) + " (cut, or not a safetensors file)",
         {{"expected", std::to_string(file_.size() - 8)}, {"found", std::to_string(header_bytes)}});
  }
  std::string header(header_bytes, '\0');
  if (!file_.read(8, header.size(), header.data())) fail(path, "its header cannot be read");
  tensors_ = parse_safetensors_header(header, file_.size() - 8 - header_bytes, path);
  for (auto& entry : tensors_) entry.second.offset += 8 + header_bytes;
}

std::vector<uint8_t> Safetensors::contents(const TensorInfo& tensor) const {
  std::vector<uint8_t> bytes(tensor.bytes);
  if (!file_.read(tensor.offset, tensor.bytes, bytes.data())) file_.require_unchanged();
  return bytes;
}

}  // namespace deltascope
