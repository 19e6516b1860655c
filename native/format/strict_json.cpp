#include "format/strict_json.h"

namespace deltascope {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 64;
// As many as a safetensors header of 100,000 tensors of rank 8 can have. A value takes up to 100 times the
// memory of its text ("{},"), so the size of a file alone is no bound.
constexpr size_t kMaxValues = size_t{1} << 21;

/// Empties lists and objects, innermost first. Recursion is no deeper than the parser lets a text nest.
void take_apart(json& value) noexcept {
  if (auto* list = value.get_ptr<json::array_t*>()) {
    for (json& item : *list) take_apart(item);
    list->clear();
  } else if (auto* members = value.get_ptr<json::object_t*>()) {
    for (auto& member : *members) take_apart(member.second);
    members->clear();
  }
}

/// Builds the value while it is parsed, in time linear in the text: the library's own callback parser walks
/// the whole parent at the end of every object.
class Builder : public nlohmann::json_sax<json> {
 public:
  JsonDocument take() { return std::move(document_); }
  /// What is wrong, in words; "" so far nothing.
  const std::string& problem() const { return problem_; }

  bool null() override { return place(nullptr); }
  bool boolean(bool value) override { return place(value); }
  bool number_integer(int64_t value) override { return place(value); }
  bool number_unsigned(uint64_t value) override { return place(value); }
  bool number_float(double value, const std::string&) override { return place(value); }
  bool string(std::string& value) override { return place(std::move(value)); }
  bool binary(json::binary_t&) override { return fail("not valid JSON"); }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    const auto [entry, added] = open_.back()->get_ref<json::object_t&>().emplace(name, nullptr);
    if (!added) return fail("key " + presentable(name) + " appears twice");
    member_ = &entry->second;
    return true;
  }

  // The library's text quotes the input, which may be anything: only the position is passed on.
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("not valid JSON at byte " + std::to_string(position));
  }

 private:
  bool fail(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
    return false;
  }

  /// Where the next value goes: the root, the end of the open list, or the member just named.
  json* target(json&& value) {
    if (open_.empty()) return &(document_.root() = std::move(value));
    if (open_.back()->is_array()) {
      auto& list = open_.back()->get_ref<json::array_t&>();
      list.push_back(std::move(value));
      return &list.back();
    }
    return &(*member_ = std::move(value));
  }

  bool place(json value) {
    if (++values_ > kMaxValues) return fail("more than " + std::to_string(kMaxValues) + " values");
    target(std::move(value));
    return true;
  }

  bool open(json value) {
    if (open_.size() == kMaxDepth) return fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (++values_ > kMaxValues) return fail("more than " + std::to_string(kMaxValues) + " values");
    open_.push_back(target(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonDocument document_;
  size_t values_ = 0;
  std::vector<json*> open_;  // a list's elements may move while it grows, but not while one of them is open
  json* member_ = nullptr;
  std::string problem_;
};

/// Collects the keys at depth 2 below one key at depth 1.
class KeyCollector : public nlohmann::json_sax<json> {
 public:
  explicit KeyCollector(std::string_view outer) : outer_(outer) {}
  std::vector<std::string> take() { return std::move(keys_); }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool start_object(size_t) override { return ++depth_, true; }
  bool start_array(size_t) override { return ++depth_, true; }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(std::string& name) override {
    if (depth_ == 1) inside_ = name == outer_;
    if (depth_ == 2 && inside_) keys_.push_back(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  std::string_view outer_;
  int depth_ = 0;
  bool inside_ = false;
  std::vector<std::string> keys_;
};

}  // namespace

JsonDocument::~JsonDocument() { take_apart(root_); }

std::vector<std::string> keys_in_order(std::string_view text, std::string_view key) {
  KeyCollector collector(key);
  json::sax_parse(text.begin(), text.end(), &collector);
  return collector.take();
}

bool is_string(const json& value, std::string_view text) {
  const auto* string = value.get_ptr<const std::string*>();
  return string != nullptr && *string == text;
}

std::string presentable(std::string_view name) {
  constexpr size_t kLongest = 80;
  const json text(std::string(name.substr(0, kLongest)));
  const std::string quoted = text.dump(-1, ' ', true, json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2) + (name.size() > kLongest ? "..." : "");
}

JsonDocument parse_strict_json(std::string_view text, Code code, const std::string& where) {
  const auto fail = [&](const std::string& why) { throw Error(code, where + ": " + why, {{"file", where}}); };
  if (text.starts_with("\xef\xbb\xbf")) fail("starts with a byte order mark; plain UTF-8 JSON is expected");
  if (text.find('\0') != std::string_view::npos)
    fail("holds a NUL byte");  // the library would take it for the end
  Builder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) fail(builder.problem());
  return builder.take();
}

}  // namespace deltascope
