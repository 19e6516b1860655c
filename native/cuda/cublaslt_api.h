#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

/// What is used of cuBLASLt, as versions 12 and 13 declare it, so that it is neither needed to compile nor to load.
namespace deltascope::cuda::lt {

using Handle = void*;
using Descriptor = void*;

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};

inline constexpr int kSuccess = 0, kAllocFailed = 3, kInvalidValue = 7, kArchMismatch = 8, kMappingError = 11,
                     kExecutionFailed = 13, kInternalError = 14, kNotSupported = 15;
inline constexpr int kReal32 = 0, kReal16Brain = 14;  // cudaDataType_t
inline constexpr int kCompute32 = 68;                 // CUBLAS_COMPUTE_32F: never TensorFloat-32
inline constexpr int kTransposed = 1;                 // CUBLAS_OP_T

inline constexpr int kDescTransA = 3;                  // CUBLASLT_MATMUL_DESC_TRANSA
inline constexpr int kPreferWorkspace = 1;             // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
inline constexpr int kPreferReduction = 3;             // CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
inline constexpr int kPreferAlignment[] = {5, 6, 7, 8};  // CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{A,B,C,D}_BYTES

struct Functions {
  int (*create)(Handle*);
  int (*destroy)(Handle);
  size_t (*version)();
  int (*desc_create)(Descriptor*, int compute, int scale);
  int (*desc_destroy)(Descriptor);
  int (*desc_set)(Descriptor, int attribute, const void*, size_t);
  int (*layout_create)(Descriptor*, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*layout_destroy)(Descriptor);
  int (*preference_create)(Descriptor*);
  int (*preference_destroy)(Descriptor);
  int (*preference_set)(Descriptor, int attribute, const void*, size_t);
  int (*heuristic)(Handle, Descriptor operation, Descriptor a, Descriptor b, Descriptor c, Descriptor d, Descriptor preference,
                   int wanted, Heuristic*, int* found);
  int (*matmul)(Handle, Descriptor operation, const void* alpha, const void* a, Descriptor a_layout, const void* b,
                Descriptor b_layout, const void* beta, const void* c, Descriptor c_layout, void* d, Descriptor d_layout,
                const Algorithm*, void* workspace, size_t workspace_bytes, cudaStream_t);
};

}  // namespace deltascope::cuda::lt
