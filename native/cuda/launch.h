#pragma once

#include <cuda_runtime.h>

#include <tuple>

#include "cuda/runtime.h"

namespace deltascope::cuda {

/// Enqueues a kernel, converting the arguments to its parameters, and checks that it was taken.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream, Arguments... arguments) {
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)...};
        check(cudaLaunchKernel(kernel, grid, block, pointers, 0, stream), "cudaLaunchKernel");
      },
      values);
}

/// Blocks of `size` that cover `count`.
inline unsigned int blocks_for(int64_t count, int64_t size) { return static_cast<unsigned int>((count + size - 1) / size); }

}  // namespace deltascope::cuda
