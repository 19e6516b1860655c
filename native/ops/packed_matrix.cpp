#include "ops/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

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

/// How values are packed: as float32, as bfloat16 bits, or as float32 values that are bfloat16 ones.
enum class Packing { plain, narrow, rounded };

template <Packing packing>
using Packed = std::conditional_t<packing == Packing::narrow, uint16_t, float>;

template <DType dtype, Packing packing>
Packed<packing> packed_value(const uint8_t* source, int64_t index) {
  if constexpr (packing == Packing::plain || (packing == Packing::rounded && dtype == DType::bf16)) {
    return widen<dtype>(source, index);
  } else if constexpr (packing == Packing::rounded) {
    return bf16_to_f32(f32_to_bf16(widen<dtype>(source, index)));
  } else if constexpr (dtype == DType::bf16) {
    uint16_t bits;
    std::memcpy(&bits, source + index * 2, 2);
    return bits;
  } else {
    return f32_to_bf16(widen<dtype>(source, index));
  }
}

bool is_finite(float value) { return (std::bit_cast<uint32_t>(value) & 0x7f800000u) != 0x7f800000u; }
bool is_finite(uint16_t bits) { return (bits & 0x7f80u) != 0x7f80u; }

/// Weights are transposed in square tiles: rows are widened where they lie dense, then turned in the first-level cache.
constexpr int64_t kTile = 16;

/// `rows` × `run` values of a tile; both known to the compiler for whole tiles, so that the loops become vector code.
template <DType dtype, Packing packing, typename Rows, typename Run>
inline int64_t turn(const uint8_t* source, int64_t stride, Rows rows, Run run, Packed<packing>* out, int64_t width) {
  Packed<packing> tile[kTile][kTile];
  int32_t not_finite = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < run; ++k) {
      tile[r][k] = packed_value<dtype, packing>(source, r * stride + k);
      not_finite += !is_finite(tile[r][k]);
    }
  }
  for (int64_t k = 0; k < run; ++k) {
    for (int64_t r = 0; r < rows; ++r) out[k * width + r] = tile[r][k];
  }
  return not_finite;
}

template <DType dtype, Packing packing>
int64_t transpose_rows(const uint8_t* rows, int64_t count, int64_t in, Packed<packing>* panel, int64_t width,
                       int64_t column) {
  using Whole = std::integral_constant<int64_t, kTile>;
  int64_t not_finite = 0;
  for (int64_t begin = 0; begin < in; begin += kTile) {
    const uint8_t* source = rows + begin * size_of(dtype);
    Packed<packing>* out = panel + begin * width + column;
    if (count == kTile && begin + kTile <= in) {
      not_finite += turn<dtype, packing>(source, in, Whole{}, Whole{}, out, width);
    } else {
      not_finite += turn<dtype, packing>(source, in, count, std::min(kTile, in - begin), out, width);
    }
  }
  return not_finite;
}

template <DType dtype, Packing packing>
int64_t copy_row(const uint8_t* row, int64_t first, int64_t count, Packed<packing>* out) {
  int64_t not_finite = 0;
  for (int64_t j = 0; j < count; ++j) {
    out[j] = packed_value<dtype, packing>(row, first + j);
    not_finite += !is_finite(out[j]);
  }
  return not_finite;
}

/// What it held is given back before more is taken.
template <typename T>
void resize(std::vector<T>& values, size_t count) {
  if (values.capacity() < count) {
    std::vector<T>().swap(values);
    values.reserve(count);
  }
  values.resize(count);
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
  resize(f32_, is_narrow() ? 0 : values);
  resize(bf16_, is_narrow() ? values : 0);
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
      if (is_narrow())
        return transpose_rows<type, Packing::narrow>(from, here, in_, bf16_.data() + at, width(panel), column);
      float* to = f32_.data() + at;
      return precision_ == Precision::float32
                 ? transpose_rows<type, Packing::plain>(from, here, in_, to, width(panel), column)
                 : transpose_rows<type, Packing::rounded>(from, here, in_, to, width(panel), column);
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
      if (is_narrow()) return copy_row<type, Packing::narrow>(row, panel * kPanel, width(panel), bf16_.data() + at);
      return precision_ == Precision::float32
                 ? copy_row<type, Packing::plain>(row, panel * kPanel, width(panel), f32_.data() + at)
                 : copy_row<type, Packing::rounded>(row, panel * kPanel, width(panel), f32_.data() + at);
    });
  }
  return not_finite;
}

PackedMatrix PackedMatrix::outputs(int64_t first, int64_t count) const {
  PackedMatrix some;
  some.reset(count, in_, precision_);
  for (int64_t panel = 0; panel < some.panels(); ++panel) {
    const int64_t from = first / kPanel + panel, width = some.width(panel), whole = this->width(from);
    for (int64_t k = 0; k < in_; ++k) {
      const int64_t source = from * kPanel * in_ + k * whole, to = panel * kPanel * in_ + k * width;
      if (is_narrow()) {
        std::copy_n(bf16_.data() + source, width, some.bf16_.data() + to);
      } else {
        std::copy_n(f32_.data() + source, width, some.f32_.data() + to);
      }
    }
  }
  return some;
}

PackedMatrix PackedMatrix::from(std::span<const float> weights, int64_t out, int64_t in, Precision precision) {
  PackedMatrix packed;
  packed.reset(out, in, precision);
  packed.set_outputs(0, out, reinterpret_cast<const uint8_t*>(weights.data()), DType::f32);
  return packed;
}

void PackedMatrix::copy_rows(float* to) const {
  for (int64_t panel = 0; panel < panels(); ++panel) {
    const float* values = panel_f32(panel);
    for (int64_t i = 0; i < width(panel); ++i) {
      float* row = to + (panel * kPanel + i) * in_;
      for (int64_t k = 0; k < in_; ++k) row[k] = values[k * width(panel) + i];
    }
  }
}

}  // namespace deltascope
