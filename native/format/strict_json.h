#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/errors.h"

namespace deltascope {

/// A parsed text. The library destroys a value by first moving all that is in it to the heap, and to lack the
/// memory for that ends the process; this takes the value apart from the leaves up, which allocates nothing.
class JsonDocument {
 public:
  JsonDocument() = default;
  JsonDocument(JsonDocument&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
  JsonDocument& operator=(JsonDocument&& other) noexcept {
    root_.swap(other.root_);
    return *this;
  }
  ~JsonDocument();

  nlohmann::json& root() { return root_; }
  const nlohmann::json& root() const { return root_; }

 private:
  nlohmann::json root_;
};

/// Parses JSON that a stranger wrote: no byte order mark, no duplicate keys, at most 64 levels and 2^21
/// values, nothing after the value. Throws an Error with `code`, naming `where` and what is wrong.
JsonDocument parse_strict_json(std::string_view text, Code code, const std::string& where);

/// The keys of the object under `key` of the outermost object, in the order of the text, which has passed the strict
/// parser; none where there is no such object. A parsed object is sorted.
std::vector<std::string> keys_in_order(std::string_view text, std::string_view key);

/// Whether a value is this string. The library's own == makes a value of the string first, and to lack the memory for that
/// ends the process: it promises not to throw.
bool is_string(const nlohmann::json& value, std::string_view text);

/// A name that a stranger wrote, as a message can show it: on one line, in ASCII, cut where it is long.
std::string presentable(std::string_view name);

}  // namespace deltascope
