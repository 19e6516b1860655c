#include "models/module_pattern.h"

#include <re2/re2.h>

namespace deltascope {
namespace {

// Room for some 2,000 instructions, several times what a choice of modules needs; a config may have many expressions.
constexpr int64_t kMaxMemory = int64_t{1} << 18;

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxMemory);
  return options;
}

}  // namespace

ModulePattern::ModulePattern(const std::string& expression)
    : expression_(std::make_unique<re2::RE2>(expression, options())) {}
ModulePattern::~ModulePattern() = default;
ModulePattern::ModulePattern(ModulePattern&&) noexcept = default;

bool ModulePattern::ok() const { return expression_->ok(); }

bool ModulePattern::matches(const std::string& name) const { return re2::RE2::FullMatch(name, *expression_); }

}  // namespace deltascope
