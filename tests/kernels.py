"""The kernels that several test files launch."""

from numba import cuda

BLOCK = 256


@cuda.jit
def square(x, y):
    """y = x² for one dimension. Updates: y."""
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i] * x[i]


@cuda.jit
def copy(x, y):
    """y = x for one dimension. Updates: y."""
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i]


@cuda.jit
def fill(y, value):
    """y = value for one dimension. Updates: y."""
    i = cuda.grid(1)
    if i < y.size:
        y[i] = value


@cuda.jit
def reverse(x, y):
    """y = x in reverse, for one block of 32 threads, through shared memory. Updates: y."""
    shared = cuda.shared.array(32, "float32")
    i = cuda.threadIdx.x
    shared[i] = x[i]
    cuda.syncthreads()
    y[i] = shared[31 - i]
