#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace deltascope {

/// Element types a checkpoint may hold. Only the floating ones can be weights.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, f8_e4m3, f8_e5m2 };

/// Bytes of one element.
int64_t size_of(DType dtype);

/// The safetensors spelling: "F32", "BF16", …
std::string_view container_name(DType dtype);

/// The torch spelling: "float32", "bfloat16", …
std::string_view torch_name(DType dtype);

/// Finds a dtype by its safetensors spelling; false when there is none.
bool parse_container_name(std::string_view text, DType* out);

constexpr float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// To nearest, ties to even; NaN stays NaN, values beyond the range become infinite. Branch-free so that it vectorises.
constexpr uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>(value == value ? rounded : (bits >> 16) | 0x40u);
}

/// The bfloat16 nearest to a float32, as a float32.
constexpr float round_to_bf16(float value) { return bf16_to_f32(f32_to_bf16(value)); }

/// IEEE 754 binary16 to binary32, subnormals, infinities and NaN included. Branch-free so that it vectorises.
constexpr float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t body = static_cast<uint32_t>(half & 0x7fffu) << 13;
  // The exponent field is re-based by multiplying with 2^112, which also normalises subnormals exactly.
  const float scaled = std::bit_cast<float>(body) * 0x1p112f;
  const uint32_t bits = std::bit_cast<uint32_t>(scaled);
  const uint32_t special = body >= 0x0f800000u ? 0x7f800000u : 0u;
  return std::bit_cast<float>(sign | bits | special);
}

}  // namespace deltascope
