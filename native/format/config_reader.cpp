#include "format/config_reader.h"

#include <cfloat>
#include <cmath>

#include "format/data_file.h"

namespace deltascope {
namespace {

const nlohmann::json kNull, kEmpty = nlohmann::json::object();

/// One for each of 7 modules in 4,096 layers, in a pattern that names them all, and some more.
constexpr size_t kMaxFields = size_t{1} << 15;

}  // namespace

ConfigReader::ConfigReader(JsonDocument document, std::string file, Code code)
    : document_(std::make_shared<const JsonDocument>(std::move(document))),
      object_(&document_->root()),
      file_(std::move(file)),
      code_(code) {
  if (!object_->is_object()) throw Error(code_, file_ + ": a JSON object is expected", {{"file", file_}});
  require_few_fields("the file");
}

ConfigReader::ConfigReader(const ConfigReader& outer, const std::string& key)
    : document_(outer.document_),
      object_(outer.has(key) ? &outer.object_->at(key) : &kEmpty),
      file_(outer.file_),
      code_(outer.code_),
      prefix_(outer.prefix_ + key + ".") {
  require_few_fields(outer.field(key));
}

void ConfigReader::require_few_fields(const std::string& object) const {
  if (object_->size() <= kMaxFields) return;
  const std::string found = std::to_string(object_->size()), expected = std::to_string(kMaxFields);
  throw Error(code_, file_ + ": " + object + " has " + found + " fields; at most " + expected + " are read",
              {{"file", file_}, {"field", object}, {"expected", expected}, {"found", found}});
}

ConfigReader ConfigReader::open(const std::string& path, Code code) {
  return ConfigReader(parse_strict_json(read_small_file(path, kMaxBytes), code, path), path, code);
}

const nlohmann::json* ConfigReader::find(const std::string& key) {
  const auto entry = object_->find(key);
  if (entry == object_->end()) return nullptr;
  read_.insert(key);
  return entry->is_null() ? nullptr : &*entry;
}

bool ConfigReader::has(const std::string& key) const {
  const auto entry = object_->find(key);
  return entry != object_->end() && !entry->is_null();
}

std::string ConfigReader::found(const std::string& key) const {
  const auto entry = object_->find(key);
  if (entry == object_->end()) return "nothing";
  std::string text = entry->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

void ConfigReader::fail(const std::string& key, const std::string& expected) const {
  throw Error(code_, file_ + ": " + field(key) + " is " + found(key) + "; " + expected + " is expected",
              {{"file", file_}, {"field", field(key)}, {"expected", expected}, {"found", found(key)}});
}

void ConfigReader::unsupported(const std::string& key, const std::string& supported) const {
  throw Error(Code::model_unsupported,
              file_ + ": " + field(key) + " = " + found(key) + " is not supported; supported: " + supported,
              {{"file", file_}, {"field", field(key)}, {"expected", supported}, {"found", found(key)}});
}

int64_t ConfigReader::integer(const std::string& key, int64_t low, int64_t high) {
  const auto* value = find(key);
  const bool ok =
      value != nullptr && value->is_number_integer() &&
      !(value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) &&
      value->get<int64_t>() >= low && value->get<int64_t>() <= high;
  if (!ok) fail(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value->get<int64_t>();
}

int64_t ConfigReader::integer_or(const std::string& key, int64_t low, int64_t high, int64_t otherwise) {
  return find(key) == nullptr ? otherwise : integer(key, low, high);
}

double ConfigReader::real(const std::string& key, double above) {
  const auto* value = find(key);
  const double number = value == nullptr || !value->is_number() ? NAN : value->get<double>();
  // Not subnormal either: what is divided by it must not be infinite.
  if (!(number > above && (number == 0 || number >= FLT_MIN) && number <= FLT_MAX)) {
    std::string bound = std::to_string(above);
    bound.erase(bound.find_last_not_of('0') + 1);
    if (bound.back() == '.') bound.pop_back();
    fail(key, "a finite number above " + bound + " that float32 can hold");
  }
  return number;
}

double ConfigReader::real_or(const std::string& key, double above, double otherwise) {
  return find(key) == nullptr ? otherwise : real(key, above);
}

bool ConfigReader::boolean_or(const std::string& key, bool otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::string ConfigReader::string(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr || !value->is_string()) fail(key, "a string");
  return value->get<std::string>();
}

std::string ConfigReader::string_or(const std::string& key, const std::string& otherwise) {
  return find(key) == nullptr ? otherwise : string(key);
}

std::vector<std::string> ConfigReader::strings(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr || !value->is_array()) fail(key, "a list of strings");
  std::vector<std::string> list;
  for (const auto& item : *value) {
    if (!item.is_string()) fail(key, "a list of strings");
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::optional<ConfigReader> ConfigReader::object(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, "an object");
  return ConfigReader(*this, key);
}

ConfigReader ConfigReader::object_or_empty(const std::string& key) {
  auto reader = object(key);
  return reader ? *reader : ConfigReader(*this, key);
}

const nlohmann::json& ConfigReader::raw(const std::string& key) {
  const auto* value = find(key);
  return value == nullptr ? kNull : *value;
}

void ConfigReader::ignore(const std::vector<std::string_view>& keys) {
  for (const std::string_view key : keys) read_.emplace(key);
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object_->items()) {
    if (!value.is_null() && !read_.contains(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace deltascope
