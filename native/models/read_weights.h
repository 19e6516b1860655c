#pragma once

#include <cstdint>

#include "format/checkpoint.h"

namespace deltascope {

/// Elements first … first + count of a float32, float16 or bfloat16 tensor, widened to float32. Runs on all
/// threads. Throws FILE_CHANGED when the file was cut meanwhile.
void read_weights(const Checkpoint& checkpoint, const TensorInfo& tensor, int64_t first, int64_t count,
                  float* out);

}  // namespace deltascope
