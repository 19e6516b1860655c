#pragma once

#include <napi.h>

#include "binding/arguments.h"
#include "binding/job_queue.h"

namespace deltascope {

/// Calls body(Arguments). Engine errors found while arguments are read become JavaScript errors, as those of the work itself
/// do.
template <typename Body>
Napi::Value guarded(const Napi::CallbackInfo& info, const Body& body) {
  try {
    return body(Arguments(info));
  } catch (const Error& e) {
    throw to_javascript(info.Env(), e);
  }
}

}  // namespace deltascope
