#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

/// Tensor cores, from sm_80 on. The emulator has a twin of this header.
namespace deltascope::cuda {

/// Two values as bfloat16, the first in the lower half.
__device__ inline uint32_t pack_bf16(float first, float second) {
  return static_cast<uint32_t>(f32_to_bf16(first)) | static_cast<uint32_t>(f32_to_bf16(second)) << 16;
}

/// D [16, 8] += A [16, 16] · B [16, 8] by a warp; A and B bfloat16, sums float32. With g = lane / 4 and t = lane % 4 a lane has
///   a: A[g, 2t], A[g + 8, 2t], A[g, 2t + 8], A[g + 8, 2t + 8], each with the value to its right;
///   b: B[2t, g], B[2t + 8, g], each with the value below;
///   d: D[g, 2t], D[g, 2t + 1], D[g + 8, 2t], D[g + 8, 2t + 1].
/// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
__device__ inline void add_product(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace deltascope::cuda
