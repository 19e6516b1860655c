#include "models/read_weights.h"

#include <algorithm>
#include <vector>

#include "core/errors.h"
#include "ops/convert.h"

namespace deltascope {

void read_weights(const Checkpoint& checkpoint, const TensorInfo& tensor, int64_t first, int64_t count,
                  float* out) {
  constexpr int64_t kPiece = 1 << 16;
  const int64_t width = size_of(tensor.dtype);
  bool ok = true;
#pragma omp parallel reduction(&& : ok)
  {
    std::vector<uint8_t> raw(static_cast<size_t>(std::min(count, kPiece) * width));
#pragma omp for schedule(static)
    for (int64_t begin = 0; begin < count; begin += kPiece) {
      const int64_t here = std::min(kPiece, count - begin);
      const auto bytes = static_cast<size_t>(here * width);
      ok = ok && checkpoint.read(tensor, static_cast<size_t>((first + begin) * width), bytes, raw.data());
      convert_to_f32({raw.data(), bytes}, tensor.dtype, out + begin, here);
    }
  }
  if (ok) return;
  checkpoint.require_unchanged();
  throw Error(Code::file_unreadable, "a weight file cannot be read to its end");
}

}  // namespace deltascope
