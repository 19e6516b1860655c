#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace deltascope {

__extension__ typedef __int128 int128;

/// Sums of float32 values that do not depend on their order: a fixed-point number with unit 2^-60.
///
/// A float32 whose lowest set bit is 2^-60 or higher (every value of magnitude ≥ 2^-36) is added exactly; of
/// a smaller one the bits below are rounded half to even, an error of at most 2^-61 per value. Integer
/// addition is associative, so sums over disjoint sets merge exactly and every order gives the same bits.
/// Room: 2^29 values of magnitude up to kLimit.
struct FixedSum {
  static constexpr int kUnitExponent = -60;
  static constexpr float kLimit = 0x1p37f;

  int128 units = 0;

  /// Adds `count` times x. |x| ≤ kLimit: the caller checks (`fits`).
  void add(float x, int64_t count) { units += to_units(x) * count; }

  static constexpr bool fits(float x) { return x <= kLimit && x >= -kLimit; }  // false for NaN

  static constexpr int128 to_units(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const int biased = static_cast<int>((bits >> 23) & 0xff);
    int64_t mantissa = bits & 0x7fffff;
    if (biased != 0) mantissa |= 0x800000;
    // x = mantissa · 2^(exponent), in units: mantissa · 2^shift.
    const int shift = (biased == 0 ? 1 : biased) - 150 - kUnitExponent;
    int128 value = 0;
    if (shift >= 0) {
      value = static_cast<int128>(mantissa) << shift;
    } else if (shift < -25) {
      value = 0;
    } else {
      const int64_t half = int64_t{1} << (-shift - 1);
      const int64_t odd = (mantissa >> -shift) & 1;
      value = (mantissa + half - 1 + odd) >> -shift;
    }
    return (bits >> 31) ? -value : value;
  }

  /// units · 2^-60, rounded once to double.
  static double to_double(int128 units) {
    const bool negative = units < 0;
    unsigned __int128 magnitude =
        negative ? -static_cast<unsigned __int128>(units) : static_cast<unsigned __int128>(units);
    int shift = 0;
    // Keep 64 bits with a sticky last one, so that the conversion below rounds once and correctly.
    while ((magnitude >> 64) != 0) {
      magnitude = (magnitude >> 1) | (magnitude & 1);
      ++shift;
    }
    const double value =
        std::ldexp(static_cast<double>(static_cast<uint64_t>(magnitude)), shift + kUnitExponent);
    return negative ? -value : value;
  }
};

/// An exact sum of doubles of any finite magnitude (Kulisch's long accumulator): order does not matter,
/// merging is exact. 70 digits of 32 bits hold 2^-1074 … 2^1023 with room for 2^80 additions; for scalars,
/// one per (layer, position).
class ExactSum {
 public:
  /// Adds `count` (0 ≤ count < 2^30) times x. Not finite: remembered, and the total is NaN.
  void add(double x, int64_t count = 1) {
    if (!std::isfinite(x)) {
      poisoned_ = true;
      return;
    }
    if (x == 0 || count == 0) return;
    const uint64_t bits = std::bit_cast<uint64_t>(x);
    const int biased = static_cast<int>((bits >> 52) & 0x7ff);
    uint64_t mantissa = bits & 0xfffffffffffffull;
    if (biased != 0) mantissa |= 0x10000000000000ull;
    const int position = biased == 0 ? 0 : biased - 1;  // of the lowest mantissa bit, above 2^-1074
    unsigned __int128 value =
        static_cast<unsigned __int128>(mantissa) * static_cast<uint64_t>(count);  // < 2^83
    const bool negative = (bits >> 63) != 0;
    // Spread over digits of 32 bits, held in signed words of 64, so that carries can wait.
    int digit = position / 32;
    int offset = position % 32;
    while (value != 0) {
      const int take = 32 - offset;
      const int64_t part =
          static_cast<int64_t>(static_cast<uint64_t>(value & ((uint64_t{1} << take) - 1)) << offset);
      digits_[digit] += negative ? -part : part;
      value >>= take;
      offset = 0;
      ++digit;
    }
    if (++pending_ == (1 << 30)) settle();
  }

  void merge(const ExactSum& other) {
    ExactSum right = other;
    settle();
    right.settle();
    for (size_t i = 0; i < digits_.size(); ++i) digits_[i] += right.digits_[i];
    pending_ = 1;
    poisoned_ = poisoned_ || other.poisoned_;
  }

  /// The sum, rounded to double (to within one unit in the last place).
  double total() const {
    if (poisoned_) return std::nan("");
    ExactSum copy = *this;
    copy.settle();
    const bool negative = copy.digits_.back() < 0;
    if (negative) {
      for (int64_t& digit : copy.digits_) digit = -digit;
      copy.settle();
    }
    double sum = 0;  // from the top: the first two or three digits that count decide all bits
    for (int i = static_cast<int>(digits_.size()) - 1; i >= 0; --i) {
      sum += std::ldexp(static_cast<double>(copy.digits_[i]), 32 * i - 1074);
    }
    return negative ? -sum : sum;
  }

 private:
  /// Carries, so that every digit but the top one is in [0, 2^32).
  void settle() {
    int64_t carry = 0;
    for (size_t i = 0; i + 1 < digits_.size(); ++i) {
      const int64_t value = digits_[i] + carry;
      digits_[i] = value & 0xffffffff;
      carry = value >> 32;
    }
    digits_.back() += carry;
    pending_ = 1;
  }

  std::array<int64_t, 70> digits_{};
  int64_t pending_ = 0;
  bool poisoned_ = false;
};

}  // namespace deltascope
