#pragma once

#include <cstdint>

#include "core/job.h"
#include "ops/packed_matrix.h"

namespace deltascope {

/// y[i, j] = Σ_k x[i, k] · w[j, k]: a linear layer.
///
/// x: [rows, in] float32, row stride `x_stride`. w: [out, in], packed. y: [rows, out] float32, row stride
/// `y_stride`; overwritten, and must not overlap x. Strides count elements. Sums are float32; with bfloat16 weights x is
/// rounded to bfloat16 first. A row of y depends on its row of x and on w only: the same bits whatever
/// `rows`, whichever rows stand beside it and however many threads (OpenMP's setting) share the work.
/// `test/native/matmul_test.cpp` holds every backend to that. Throws CANCELLED within a few milliseconds of the
/// job's flag, OUT_OF_MEMORY.
void matmul(const float* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows,
            const Job& job);

/// The plain loop over dense w [out, in], sums in float64: what the others are judged by.
void matmul_reference(const float* x, int64_t x_stride, const float* w, float* y, int64_t y_stride,
                      int64_t rows, int64_t in, int64_t out);

/// Which implementation `matmul` is: "oneDNN 2.6.3" or "reference".
const char* matmul_backend();

}  // namespace deltascope
