#include "port.cuh"

using namespace port;

// (x - y)²
template <typename scalar_t>
__device__ scalar_t squared_difference(scalar_t x, scalar_t y) {
  const scalar_t difference = x - y;
  return difference * difference;
}

// Σ (x - y)² over each element that this thread takes, a grid apart.
template <typename scalar_t>
__device__ scalar_t share_of_thread(Array<const scalar_t, 1> x, Array<const scalar_t, 1> y) {
  scalar_t share = 0;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < x.size(); i += int64_t(gridDim.x) * blockDim.x) {
    share += squared_difference(x[i], y[i]);
  }
  return share;
}

// The sum over the lanes of the warp, in lane 0.
template <typename scalar_t>
__device__ scalar_t warp_sum(scalar_t value) {
  constexpr int64_t FULL = 0xffffffff;
  for (const int64_t offset : {16, 8, 4, 2, 1}) {
    value += __shfl_down_sync(FULL, value, offset);
  }
  return value;
}

// The sum over the threads of the block, in thread 0. Updates: of_warps [32], in shared memory.
template <typename scalar_t>
__device__ scalar_t block_sum(scalar_t value, Array<scalar_t, 1> of_warps) {
  constexpr int64_t WARP = 32;
  const int t = threadIdx.x;
  const int64_t lane = t % WARP;
  const int64_t warp = t / WARP;
  value = warp_sum(value);
  if (lane == 0) {
    of_warps[warp] = value;
  }
  __syncthreads();
  if (warp == 0) {
    value = lane < blockDim.x / WARP ? of_warps[lane] : scalar_t(0);
    value = warp_sum(value);
  }
  return value;
}

// Adds Σ (x - y)² to total, with one atomic addition a block.
//
// Updates: total [1], which must be zero before.
template <typename scalar_t>
__global__ void squared_distance_kernel(
    Array<const scalar_t, 1> x,
    Array<const scalar_t, 1> y,
    Array<scalar_t, 1> total) {
  constexpr int64_t WARP = 32;
  __shared__ scalar_t of_warps[WARP];
  const scalar_t of_block = block_sum<scalar_t>(share_of_thread(x, y), of_warps);
  if (threadIdx.x == 0) {
    atomicAdd(&total[0], of_block);
  }
}

// Each block's share of Σ (x - y)².
//
// Updates: partial [blocks of the grid].
template <typename scalar_t>
__global__ void partial_squared_distance_kernel(
    Array<const scalar_t, 1> x,
    Array<const scalar_t, 1> y,
    Array<scalar_t, 1> partial) {
  constexpr int64_t WARP = 32;
  __shared__ scalar_t of_warps[WARP];
  const scalar_t of_block = block_sum<scalar_t>(share_of_thread(x, y), of_warps);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = of_block;
  }
}

// The sum of the partial sums, for a grid of one block.
//
// Updates: total [1].
template <typename scalar_t>
__global__ void total_kernel(Array<const scalar_t, 1> partial, Array<scalar_t, 1> total) {
  constexpr int64_t WARP = 32;
  __shared__ scalar_t of_warps[WARP];
  scalar_t share = 0;
  for (int64_t i = threadIdx.x; i < partial.size(); i += blockDim.x) {
    share += partial[i];
  }
  const scalar_t of_block = block_sum<scalar_t>(share, of_warps);
  if (threadIdx.x == 0) {
    total[0] = of_block;
  }
}
