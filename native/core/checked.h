#pragma once

#include <cstdint>

namespace deltascope {

/// a·b, or false when it does not fit. Every product of two numbers from a file goes through here.
inline bool checked_multiply(uint64_t a, uint64_t b, uint64_t* out) {
  return !__builtin_mul_overflow(a, b, out);
}

}  // namespace deltascope
