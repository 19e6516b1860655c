#pragma once

#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace deltascope {

/// A regular expression over module names that a stranger wrote. Matching takes time linear in the name, whatever the
/// expression (RE2): there is no backtracking.
class ModulePattern {
 public:
  /// Python's syntax as far as RE2 has it too. An expression that it does not have (lookaround, back references) or
  /// that is too large is not `ok`.
  explicit ModulePattern(const std::string& expression);
  ~ModulePattern();
  ModulePattern(ModulePattern&&) noexcept;

  bool ok() const;
  /// Whether the whole name matches.
  bool matches(const std::string& name) const;

 private:
  std::unique_ptr<re2::RE2> expression_;
};

}  // namespace deltascope
