"""The CPU executor: an unmodified ``cuda.jit`` kernel, compiled for this processor.

A kernel says what one thread does. The executor

- *reads* that from the kernel's Python source (read, normal, ranges);
- *plans* how a whole block does it (uniform, fission, bounds, slots, states);
- *emits* that as a Python function that a person can read (emit, loops, machine);
- has Numba *compile* it, and *runs* it over the blocks (compile, run).

Between two barriers the threads of a block are independent, so what lies between becomes a loop over them. Where
control flow does not allow that, every thread goes its way state by state. CUDA's own meaning of an operation, where
it differs from Python's, is in semantics, float32, sines, float16, fp16, atomics, libdevice, lockstep and exchanges.
The sanitizer (sanitize, watched, findings, sanitized) runs a kernel state by state and checks every access. To step
through a kernel, and to record what its threads do, its own source runs as plain Python (generators, program, typed,
here, turns, accesses, trace, stepped).
"""

from workbench.executors.cpu.run import launch
from workbench.executors.cpu.sanitized import launch as sanitized
from workbench.executors.cpu.stepped import launch as stepped

__all__ = ["launch", "sanitized", "stepped"]
