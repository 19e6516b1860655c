// In place of native/cuda/tensor.cuh: the same product by the definition of its fragments.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

namespace deltascope::cuda {

inline uint32_t pack_bf16(float first, float second) {
  return static_cast<uint32_t>(f32_to_bf16(first)) | static_cast<uint32_t>(f32_to_bf16(second)) << 16;
}

inline void add_product(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const int group = emulator::lane() / 4, own = emulator::lane() % 4;
  const uint32_t b[2] = {b0, b1};
  for (int t = 0; t < 4; ++t) {
    float left[2][4], right[2][4];  // [row g, g + 8] and [column 2t, 2t + 1] of this lane: k = 2t, 2t + 1, 2t + 8, 2t + 9
    for (int i = 0; i < 4; ++i) {
      const uint32_t pair = __shfl_sync(~0u, a[i], group * 4 + t);
      left[i % 2][i / 2 * 2] = bf16_to_f32(static_cast<uint16_t>(pair)), left[i % 2][i / 2 * 2 + 1] = bf16_to_f32(static_cast<uint16_t>(pair >> 16));
    }
    for (int column = 0; column < 2; ++column) {
      for (int i = 0; i < 2; ++i) {
        const uint32_t pair = __shfl_sync(~0u, b[i], (own * 2 + column) * 4 + t);
        right[column][i * 2] = bf16_to_f32(static_cast<uint16_t>(pair)), right[column][i * 2 + 1] = bf16_to_f32(static_cast<uint16_t>(pair >> 16));
      }
    }
    for (int i = 0; i < 4; ++i) {
      for (int k = 0; k < 4; ++k) d[i] += left[i / 2][k] * right[i % 2][k];
    }
  }
}

}  // namespace deltascope::cuda
