// What the kernels of this directory need: nvcc compiles them for a GPU, and any C++20 compiler for the CPU.
#pragma once

#ifdef __CUDACC__

#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <math.h>

namespace port {

// Queues kernel<<<grid, block, shared_bytes, stream>>>(arguments...). On a GPU threads may always wait for each other.
template <bool synchronises, typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  kernel<<<grid, block, shared_bytes, stream>>>(Parameters(arguments)...);
}

__device__ inline int lane_id() {
  int lane;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  return lane;
}

}  // namespace port

#else

#include "cpu.h"

#endif

#include "arithmetic.cuh"
#include "array.cuh"
#include "atomics.cuh"

namespace port {

// The shared memory whose size the launch says, as one array.
template <typename T>
__device__ inline Array<T, 1> dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(16) unsigned char memory[];
  unsigned bytes;
  asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
  return {reinterpret_cast<T*>(memory), {static_cast<int64_t>(bytes / sizeof(T))}};
#else
  return {reinterpret_cast<T*>(dynamic_memory.data()), {static_cast<int64_t>(dynamic_memory.size() / sizeof(T))}};
#endif
}

__device__ inline unsigned lanemask_lt() { return (1u << lane_id()) - 1; }

}  // namespace port
