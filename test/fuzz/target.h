#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/errors.h"

// What a fuzzer runs, and core_tests on every file of test/fuzz/corpus: a stranger's bytes through one
// parser, and its promises checked. A target returns, or throws when a promise is broken.
namespace deltascope::fuzz {

/// A safetensors file; also a header alone, behind 8 bytes that say how much data follows it.
void safetensors(std::string_view bytes);
/// A config.json.
void config(std::string_view bytes);
/// An adapter_config.json up to the first NUL, or a good one when there is nothing before it; behind the NUL
/// its adapter_model.safetensors.
void adapter(std::string_view bytes);

inline void require(bool holds, const std::string& promise) {
  if (!holds) throw std::logic_error("broken promise: " + promise);
}

/// Whether text can be shown to people as it is: one line, not endless.
inline bool is_presentable(std::string_view text) {
  if (text.size() > 2000) return false;
  for (const unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) return false;
  }
  return true;
}

/// Whether a call accepts its input. It may refuse it, with one of `refusals`; any other exception is let
/// through.
template <typename Call>
bool accepts(const Call& call, std::initializer_list<Code> refusals) {
  try {
    call();
    return true;
  } catch (const Error& e) {
    bool expected = false;
    for (const Code code : refusals) expected = expected || code == e.code();
    require(expected, std::string("no refusal is ") + name(e.code()) + ": " + e.what());
    require(is_presentable(e.what()), std::string("a message is one short line: ") + e.what());
    for (const auto& [key, value] : e.details())
      require(is_presentable(value), "a detail is one short line: " + key + " " + value);
    return false;
  }
}

}  // namespace deltascope::fuzz
