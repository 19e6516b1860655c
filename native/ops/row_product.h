#pragma once

#include <cstdint>

#include "core/job.h"
#include "ops/row_matrix.h"

namespace deltascope {

/// y[i, j] = Σ_k x[i, k] · w[j, k], for few rows: a linear layer of decoding.
///
/// x: [rows, in] float32, row stride `x_stride`. w: [out, in], widened exactly as it is read. y: [rows, out]
/// float32, row stride `y_stride`; overwritten, and must not overlap x. Strides count elements. Sums are
/// float32, in 16 lanes by k mod 16 that are added up pairwise at the end: the same bits whatever `rows`,
/// whichever rows stand beside it and however many threads (OpenMP's setting) share the work. With few rows
/// it takes as long as reading w once. Throws CANCELLED within a few milliseconds of the job's flag.
void row_product(const RowMatrix& w, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                 int64_t rows, const Job& job);

}  // namespace deltascope
