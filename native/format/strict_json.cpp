#include "format/strict_json.h"

#include <set>
#include <string>
#include <vector>

namespace deltascope {

nlohmann::json parse_strict_json(std::string_view text, Code code, const std::string& where) {
  using nlohmann::json;
  constexpr int kMaxDepth = 64;
  const auto fail = [&](const std::string& why) { throw Error(code, where + ": " + why, {{"file", where}}); };

  if (text.starts_with("\xef\xbb\xbf")) fail("starts with a byte order mark; plain UTF-8 JSON is expected");
  std::vector<std::set<std::string>> open_objects;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxDepth) fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    switch (event) {
      case json::parse_event_t::object_start: open_objects.emplace_back(); break;
      case json::parse_event_t::object_end: open_objects.pop_back(); break;
      case json::parse_event_t::key:
        if (!open_objects.back().insert(value.get<std::string>()).second) {
          fail("key " + value.dump() + " appears twice");
        }
        break;
      default: break;
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& e) {
    // The library's text quotes the input, which may be anything: only the position is passed on.
    const auto* syntax = dynamic_cast<const json::parse_error*>(&e);
    fail(syntax != nullptr ? "not valid JSON at byte " + std::to_string(syntax->byte) : "not valid JSON");
    throw;
  }
}

}  // namespace deltascope
