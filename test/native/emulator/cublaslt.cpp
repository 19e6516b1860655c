// As much of cuBLASLt as native/cuda asks for, as a library of its own that is opened at run time: plain loops over matrices as
// its documentation has them, column-major, with what it refuses. So what describes products to the library is judged too.
#include "cublaslt.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "core/dtype.h"
#include "cuda/cublaslt_api.h"

using namespace deltascope;
using namespace deltascope::cuda;

namespace {

struct Operation {
  int compute, scale;
  int32_t transposes_a = 0;
};

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t stride;
};

struct Preference {
  uint64_t workspace = 0;
  uint32_t reduction = ~0u, alignment[4] = {256, 256, 256, 256};
};

/// A matrix's columns, one after another.
std::vector<float> columns_of(const void* values, const Layout& layout) {
  std::vector<float> columns;
  columns.reserve(layout.rows * layout.columns);
  for (uint64_t column = 0; column < layout.columns; ++column) {
    for (uint64_t at = column * static_cast<uint64_t>(layout.stride), end = at + layout.rows; at < end; ++at) {
      columns.push_back(layout.type == lt::kReal32 ? static_cast<const float*>(values)[at]
                                                   : bf16_to_f32(static_cast<const uint16_t*>(values)[at]));
    }
  }
  return columns;
}

bool is_aligned(const void* pointer, uint64_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT emulator::Cublaslt* emulated_cublaslt() {
  static emulator::Cublaslt controls;
  return &controls;
}

EXPORT int cublasLtCreate(lt::Handle* handle) {
  *handle = new int;
  return lt::kSuccess;
}
EXPORT int cublasLtDestroy(lt::Handle handle) {
  delete static_cast<int*>(handle);
  return lt::kSuccess;
}
EXPORT size_t cublasLtGetVersion() { return 130000; }

EXPORT int cublasLtMatmulDescCreate(lt::Descriptor* out, int compute, int scale) {
  *out = new Operation{compute, scale};
  return lt::kSuccess;
}
EXPORT int cublasLtMatmulDescDestroy(lt::Descriptor operation) {
  delete static_cast<Operation*>(operation);
  return lt::kSuccess;
}
EXPORT int cublasLtMatmulDescSetAttribute(lt::Descriptor operation, int attribute, const void* value, size_t bytes) {
  if (attribute != lt::kDescTransA || bytes != sizeof(int32_t)) return lt::kInvalidValue;
  std::memcpy(&static_cast<Operation*>(operation)->transposes_a, value, bytes);
  return lt::kSuccess;
}

EXPORT int cublasLtMatrixLayoutCreate(lt::Descriptor* out, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  if ((type != lt::kReal32 && type != lt::kReal16Brain) || stride < static_cast<int64_t>(rows)) return lt::kInvalidValue;
  *out = new Layout{type, rows, columns, stride};
  return lt::kSuccess;
}
EXPORT int cublasLtMatrixLayoutDestroy(lt::Descriptor layout) {
  delete static_cast<Layout*>(layout);
  return lt::kSuccess;
}

EXPORT int cublasLtMatmulPreferenceCreate(lt::Descriptor* out) {
  *out = new Preference;
  return lt::kSuccess;
}
EXPORT int cublasLtMatmulPreferenceDestroy(lt::Descriptor preference) {
  delete static_cast<Preference*>(preference);
  return lt::kSuccess;
}
EXPORT int cublasLtMatmulPreferenceSetAttribute(lt::Descriptor to, int attribute, const void* value, size_t bytes) {
  auto& preference = *static_cast<Preference*>(to);
  void* place = nullptr;
  size_t wanted = sizeof(uint32_t);
  if (attribute == lt::kPreferWorkspace) place = &preference.workspace, wanted = sizeof(uint64_t);
  if (attribute == lt::kPreferReduction) place = &preference.reduction;
  for (size_t i = 0; i < 4; ++i) {
    if (attribute == lt::kPreferAlignment[i]) place = &preference.alignment[i];
  }
  if (place == nullptr || bytes != wanted) return lt::kInvalidValue;
  std::memcpy(place, value, bytes);
  return lt::kSuccess;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(lt::Handle, lt::Descriptor, lt::Descriptor, lt::Descriptor, lt::Descriptor,
                                          lt::Descriptor to, lt::Descriptor wish, int, lt::Heuristic* best, int* found) {
  const auto& preference = *static_cast<Preference*>(wish);
  *best = {};
  best->algorithm.data[0] = static_cast<Layout*>(to)->columns;
  best->algorithm.data[1] = preference.workspace;
  for (size_t i = 0; i < 4; ++i) best->algorithm.data[2 + i] = preference.alignment[i];
  *found = 1;
  ++emulated_cublaslt()->plans;
  return lt::kSuccess;
}

EXPORT int cublasLtMatmul(lt::Handle, lt::Descriptor described, const void* alpha, const void* a, lt::Descriptor a_layout,
                          const void* b, lt::Descriptor b_layout, const void* beta, const void* c, lt::Descriptor c_layout,
                          void* d, lt::Descriptor d_layout, const lt::Algorithm* plan, void* workspace, size_t workspace_bytes,
                          cudaStream_t) {
  emulator::Cublaslt& controls = *emulated_cublaslt();
  if (controls.refusals > 0) {
    --controls.refusals;
    return controls.status;
  }
  const auto& operation = *static_cast<Operation*>(described);
  const Layout &w = *static_cast<Layout*>(a_layout), &x = *static_cast<Layout*>(b_layout), &from = *static_cast<Layout*>(c_layout),
               &y = *static_cast<Layout*>(d_layout);
  if (controls.needs_own_plan && plan->data[0] != y.columns) return lt::kNotSupported;
  const void* pointers[] = {a, b, c, d};
  for (size_t i = 0; i < 4; ++i) {
    if (!is_aligned(pointers[i], plan->data[2 + i])) return lt::kInvalidValue;
  }
  const bool fits = operation.compute == lt::kCompute32 && operation.scale == lt::kReal32 && operation.transposes_a == lt::kTransposed &&
                    w.type == x.type && y.type == lt::kReal32 && from.type == y.type && w.columns == y.rows && x.columns == y.columns &&
                    w.rows == x.rows && c == d && workspace != nullptr && workspace_bytes >= plan->data[1];
  if (!fits) return lt::kInvalidValue;
  float scale, old;
  std::memcpy(&scale, alpha, sizeof(scale));
  std::memcpy(&old, beta, sizeof(old));
  const std::vector<float> weights = columns_of(a, w), inputs = columns_of(b, x);
  for (uint64_t column = 0; column < y.columns; ++column) {
    for (uint64_t row = 0; row < y.rows; ++row) {
      const float *weight = weights.data() + row * w.rows, *input = inputs.data() + column * w.rows;
      double sum = 0;
      for (uint64_t k = 0; k < w.rows; ++k) sum += static_cast<double>(weight[k]) * input[k];
      float& to = static_cast<float*>(d)[column * static_cast<uint64_t>(y.stride) + row];
      to = static_cast<float>((old == 0 ? 0.0 : static_cast<double>(old) * to) + scale * sum);
    }
  }
  return lt::kSuccess;
}
