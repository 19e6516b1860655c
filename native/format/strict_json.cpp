#include "format/strict_json.h"

#include <string>
#include <vector>

namespace deltascope {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 64;

/// Builds the value while it is parsed, in time linear in the text: the library's own callback parser walks
/// the whole parent at the end of every object.
class Builder : public nlohmann::json_sax<json> {
 public:
  json take() { return std::move(root_); }
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
    if (!added)
      return fail("key " + json(name.substr(0, 80)).dump(-1, ' ', true, json::error_handler_t::replace) +
                  " appears twice");
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
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) {
      auto& list = open_.back()->get_ref<json::array_t&>();
      list.push_back(std::move(value));
      return &list.back();
    }
    return &(*member_ = std::move(value));
  }

  bool place(json value) {
    target(std::move(value));
    return true;
  }

  bool open(json value) {
    if (open_.size() == kMaxDepth) return fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    open_.push_back(target(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  json root_;
  std::vector<json*> open_;  // a list's elements may move while it grows, but not while one of them is open
  json* member_ = nullptr;
  std::string problem_;
};

}  // namespace

json parse_strict_json(std::string_view text, Code code, const std::string& where) {
  const auto fail = [&](const std::string& why) { throw Error(code, where + ": " + why, {{"file", where}}); };
  if (text.starts_with("\xef\xbb\xbf")) fail("starts with a byte order mark; plain UTF-8 JSON is expected");
  if (text.find('\0') != std::string_view::npos)
    fail("holds a NUL byte");  // the library would take it for the end
  Builder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) fail(builder.problem());
  return builder.take();
}

}  // namespace deltascope
