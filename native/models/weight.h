#pragma once

#include <cstdint>
#include <vector>

#include "core/job.h"
#include "format/checkpoint.h"
#include "ops/packed_matrix.h"
#include "ops/row_matrix.h"

namespace deltascope {

/// A tensor and the file that holds it: the checkpoint, or an adapter that replaces it. Borrowed; may be nothing.
struct Weight {
  const Checkpoint* file = nullptr;
  const TensorInfo* tensor = nullptr;

  explicit operator bool() const { return tensor != nullptr; }
};

/// A linear layer: rows first_row … of a tensor [rows, in], or columns of one [in, columns], and its bias's values from
/// there on.
struct LinearWeight {
  Weight weight, bias;
  int64_t first_row = 0;
};

/// A norm's factors, and shifts where it has them.
struct NormWeight {
  Weight weight, bias;

  explicit operator bool() const { return static_cast<bool>(weight); }
};

/// Elements first … first + count of a float32, float16 or bfloat16 tensor, widened to float32, on all threads. Returns
/// how many are NaN or infinite. Throws FILE_CHANGED when the file was cut meanwhile.
int64_t read_weights(const Weight& weight, int64_t first, int64_t count, float* out);

/// A linear layer's weights [out, in], packed for `matmul`, on all threads. input_major: the tensor is stored [in, …].
/// Returns and throws as read_weights.
int64_t read_linear(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
                    PackedMatrix& packed);

/// The type of dense rows: as stored, or bfloat16 where products are computed from that.
DType row_dtype(const Weight& weight, Precision precision);

/// The same as dense rows [out, in] of `row_dtype`, to memory that has room for them. Returns and throws as read_weights, and
/// CANCELLED within milliseconds of the job's flag.
int64_t read_rows(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
                  const Job& job, uint8_t* to);
void read_rows(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
               const Job& job, RowMatrix& rows);

}  // namespace deltascope
