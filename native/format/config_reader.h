#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/errors.h"
#include "format/strict_json.h"

namespace deltascope {

/// Reads fields of a JSON object that a stranger wrote, with their types and ranges checked, and remembers
/// which were read. A field that is null counts as absent. Every error names the file and the field.
class ConfigReader {
 public:
  /// `code` is what errors carry: INVALID_CONFIG or INVALID_ADAPTER. Throws it for a document that is no
  /// object or has more than 32,768 fields.
  ConfigReader(JsonDocument document, std::string file, Code code);

  /// The most bytes of a file that are read.
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  /// Reads a file of at most kMaxBytes.
  static ConfigReader open(const std::string& path, Code code);

  bool has(const std::string& key) const;
  /// Whether the key is there at all, be it as null.
  bool names(const std::string& key) const { return object_->contains(key); }

  int64_t integer(const std::string& key, int64_t low, int64_t high);
  int64_t integer_or(const std::string& key, int64_t low, int64_t high, int64_t otherwise);
  /// Strictly above `above`, not negative, and neither too large nor too small for a float32.
  double real(const std::string& key, double above);
  double real_or(const std::string& key, double above, double otherwise);
  bool boolean_or(const std::string& key, bool otherwise);
  std::string string(const std::string& key);
  std::string string_or(const std::string& key, const std::string& otherwise);
  std::vector<std::string> strings(const std::string& key);
  /// A nested object, read through a reader of its own; nothing when absent.
  std::optional<ConfigReader> object(const std::string& key);
  /// The same; one without fields when absent.
  ConfigReader object_or_empty(const std::string& key);
  /// The raw value, marked as read; null when absent.
  const nlohmann::json& raw(const std::string& key);

  /// Marks fields as known and without effect on the maths.
  void ignore(const std::vector<std::string_view>& keys);

  /// Keys present (not null) and neither read nor ignored.
  std::vector<std::string> unread() const;

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;
  /// For a setting that is well-formed and not implemented.
  [[noreturn]] void unsupported(const std::string& key, const std::string& supported) const;

  /// A key with the objects it stands in, e.g. "text_config.hidden_size", as a message can show it.
  std::string field(const std::string& key) const { return prefix_ + presentable(key); }
  const std::string& file() const { return file_; }

 private:
  /// The object under `key` of another one, or an empty one.
  ConfigReader(const ConfigReader& outer, const std::string& key);

  void require_few_fields(const std::string& object) const;
  const nlohmann::json* find(const std::string& key);
  std::string found(const std::string& key) const;

  std::shared_ptr<const JsonDocument> document_;
  const nlohmann::json* object_;  // in the document
  std::string file_;
  Code code_;
  std::string prefix_;
  std::set<std::string> read_;
};

}  // namespace deltascope
