#include "port.cuh"

using namespace port;

// ∂/∂x (x - y)² = 2 (x - y); the derivative by y is this with x and y exchanged.
template <typename scalar_t>
__device__ scalar_t squared_difference_derivative(scalar_t x, scalar_t y) {
  const scalar_t difference = x - y;
  // a sum and not 2 * difference: Numba computes an int64 times a float32 in float64
  return difference + difference;
}

// The gradient by x, times the upstream gradient; all [n].
//
// Updates: gradient [n].
template <typename scalar_t>
__global__ void squared_error_gradient_kernel(
    Array<const scalar_t, 1> x,
    Array<const scalar_t, 1> y,
    Array<const scalar_t, 1> upstream,
    Array<scalar_t, 1> gradient) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < gradient.size()) {
    gradient[i] = squared_difference_derivative(x[i], y[i]) * upstream[i];
  }
}
