#include "core/dtype.h"

#include <array>

namespace deltascope {
namespace {

struct Row {
  DType dtype;
  int64_t bytes;
  std::string_view container, torch;
};

constexpr std::array kRows = {
    Row{DType::f64, 8, "F64", "float64"},
    Row{DType::f32, 4, "F32", "float32"},
    Row{DType::f16, 2, "F16", "float16"},
    Row{DType::bf16, 2, "BF16", "bfloat16"},
    Row{DType::i64, 8, "I64", "int64"},
    Row{DType::i32, 4, "I32", "int32"},
    Row{DType::i16, 2, "I16", "int16"},
    Row{DType::i8, 1, "I8", "int8"},
    Row{DType::u64, 8, "U64", "uint64"},
    Row{DType::u32, 4, "U32", "uint32"},
    Row{DType::u16, 2, "U16", "uint16"},
    Row{DType::u8, 1, "U8", "uint8"},
    Row{DType::boolean, 1, "BOOL", "bool"},
    Row{DType::f8_e4m3, 1, "F8_E4M3", "float8_e4m3fn"},
    Row{DType::f8_e5m2, 1, "F8_E5M2", "float8_e5m2"},
};

const Row& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

int64_t size_of(DType dtype) { return row(dtype).bytes; }
std::string_view container_name(DType dtype) { return row(dtype).container; }
std::string_view torch_name(DType dtype) { return row(dtype).torch; }

bool parse_container_name(std::string_view text, DType* out) {
  for (const Row& r : kRows) {
    if (r.container == text) {
      *out = r.dtype;
      return true;
    }
  }
  return false;
}

}  // namespace deltascope
