#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/errors.h"

namespace deltascope {

/// Parses JSON that a stranger wrote: no byte order mark, no duplicate keys, at most 64 levels, nothing after
/// the value. Throws an Error with `code`, naming `where` and what is wrong.
nlohmann::json parse_strict_json(std::string_view text, Code code, const std::string& where);

}  // namespace deltascope
