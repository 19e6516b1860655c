#include "ops/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "core/errors.h"
#include "ops/convert.h"

namespace deltascope {
namespace {

/// How one stored type is read as float32, or as bfloat16 bits.
template <DType dtype>
float widen(const uint8_t* source, int64_t index) {
  if constexpr (dtype == DType::f32) {
    float value;
    std::memcpy(&value, source + index * 4, 4);
    return value;
  } else {
    uint16_t bits;
    std::memcpy(&bits, source + index * 2, 2);
    return dtype == DType::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }
}

bool is_finite(float value) { return (std::bit_cast<uint32_t>(value) & 0x7f800000u) != 0x7f800000u; }

void store(float value, float* out) { *out = value; }
void store(float value, uint16_t* out) { *out = f32_to_bf16(value); }

/// A tile of outputs transposed at a time, so that both sides are touched in whole cache lines.
constexpr int64_t kTile = 16;

template <DType dtype, typename Out>
int64_t transpose_rows(const uint8_t* rows, int64_t count, int64_t in, Out* panel, int64_t width, int64_t column) {
  int64_t not_finite = 0;
  for (int64_t begin = 0; begin < in; begin += kTile) {
    const int64_t end = std::min(begin + kTile, in);
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t k = begin; k < end; ++k) {
        const float value = widen<dtype>(rows, r * in + k);
        not_finite += !is_finite(value);
        store(value, panel + k * width + column + r);
      }
    }
  }
  return not_finite;
}

template <DType dtype, typename Out>
int64_t copy_row(const uint8_t* row, int64_t first, int64_t count, Out* out) {
  int64_t not_finite = 0;
  for (int64_t j = 0; j < count; ++j) {
    const float value = widen<dtype>(row, first + j);
    not_finite += !is_finite(value);
    store(value, out + j);
  }
  return not_finite;
}

template <typename Call>
int64_t with_dtype(DType dtype, const Call& call) {
  switch (dtype) {
    case DType::f32:
      return call.template operator()<DType::f32>();
    case DType::f16:
      return call.template operator()<DType::f16>();
    case DType::bf16:
      return call.template operator()<DType::bf16>();
    default:
      throw Error(Code::invalid_weights,
                  "[pack] F32, F16 or BF16 is expected, not " + std::string(container_name(dtype)));
  }
}

}  // namespace

const char* name(Precision precision) { return precision == Precision::float32 ? "float32" : "bfloat16"; }

void PackedMatrix::reset(int64_t out, int64_t in, Precision precision) {
  out_ = out, in_ = in, precision_ = precision;
  const auto values = static_cast<size_t>(out * in);
  f32_.resize(precision == Precision::float32 ? values : 0);
  bf16_.resize(precision == Precision::bfloat16 ? values : 0);
}

int64_t PackedMatrix::set_outputs(int64_t first, int64_t count, const uint8_t* rows, DType dtype) {
  const int64_t row_bytes = in_ * size_of(dtype);
  int64_t not_finite = 0;
  for (int64_t row = first; row < first + count;) {
    const int64_t panel = row / kPanel, column = row % kPanel;
    const int64_t here = std::min({kTile, first + count - row, width(panel) - column});
    const uint8_t* from = rows + (row - first) * row_bytes;
    const int64_t at = panel * kPanel * in_;
    not_finite += with_dtype(dtype, [&]<DType type>() {
      return precision_ == Precision::float32
                 ? transpose_rows<type>(from, here, in_, f32_.data() + at, width(panel), column)
                 : transpose_rows<type>(from, here, in_, bf16_.data() + at, width(panel), column);
    });
    row += here;
  }
  return not_finite;
}

int64_t PackedMatrix::set_input(int64_t input, const uint8_t* row, DType dtype) {
  int64_t not_finite = 0;
  for (int64_t panel = 0; panel < panels(); ++panel) {
    const int64_t at = panel * kPanel * in_ + input * width(panel);
    not_finite += with_dtype(dtype, [&]<DType type>() {
      return precision_ == Precision::float32
                 ? copy_row<type>(row, panel * kPanel, width(panel), f32_.data() + at)
                 : copy_row<type>(row, panel * kPanel, width(panel), bf16_.data() + at);
    });
  }
  return not_finite;
}

PackedMatrix PackedMatrix::widened() const {
  PackedMatrix wide;
  wide.reset(out_, in_, Precision::float32);
  if (precision_ == Precision::float32) {
    wide.f32_ = f32_;
  } else {
    convert_to_f32({reinterpret_cast<const uint8_t*>(bf16_.data()), bf16_.size() * 2}, DType::bf16, wide.f32_.data(),
                   static_cast<int64_t>(bf16_.size()));
  }
  return wide;
}

PackedMatrix PackedMatrix::from(std::span<const float> weights, int64_t out, int64_t in, Precision precision) {
  PackedMatrix packed;
  packed.reset(out, in, precision);
  packed.set_outputs(0, out, reinterpret_cast<const uint8_t*>(weights.data()), DType::f32);
  return packed;
}

}  // namespace deltascope
