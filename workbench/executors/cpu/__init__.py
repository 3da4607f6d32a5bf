"""The CPU executor: an unmodified ``cuda.jit`` kernel, compiled for this processor.

A kernel says what one thread does. The executor *reads* that from the kernel's Python source, *emits* a function
that does it for every thread of a range of blocks, has Numba compile it, and *runs* it.

It runs kernels whose threads need not wait for each other. One with a barrier, a shuffle or shared memory is refused
in words, with its line.
"""

from workbench.executors.cpu.run import launch

__all__ = ["launch"]
