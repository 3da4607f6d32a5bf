"""Kernels that C++ cannot say in the same way, each with what is said of it."""

import math

from numba import cuda, float32, int64, types

X = types.float32[::1]
TABLE = [1.0, 2.0]


@cuda.jit
def two_types(x, out):
    i = cuda.grid(1)
    total = 0
    for k in range(x.size):
        total += x[k]
    out[i] = total


@cuda.jit
def unknown_step(x, out, n):
    for i in range(0, x.size, n):
        out[i] = x[i]


@cuda.jit
def slice_backwards(x, out):
    part = x[::-1]
    out[0] = part[0]


@cuda.jit
def slice_that_counts(x, out):
    part = x[int(cuda.atomic.add(out, 1, 1.0)) :]
    out[0] = part[0]


@cuda.jit
def list_from_outside(x, out):
    out[0] = TABLE[1]


@cuda.jit
def unknown_call(x, out):
    out[0] = math.dist((x[0],), (x[1],))


@cuda.jit
def else_of_a_loop(x, out):
    for i in range(3):
        if x[i] > 0:
            break
    else:
        out[0] = 1


@cuda.jit
def order_of_writes(x, out):
    out[0] = cuda.atomic.add(out, 1, 1.0) - cuda.atomic.add(out, 1, 2.0)


@cuda.jit
def several_arrays(x, out):
    row = x
    if x[0] > 0:
        row = out
    out[1] = row[0]


@cuda.jit
def whole_array(x, out):
    out[:] = 0


@cuda.jit
def match_of_all(x, out):
    out[0] = cuda.match_all_sync(0xFFFFFFFF, 3)[0]


@cuda.jit
def says_something(x, out):
    print(x[0])


@cuda.jit
def complex_number(x, out):
    z = complex(x[0], 1.0)
    out[0] = z.real


@cuda.jit
def shape_that_varies(x, out, n):
    part = cuda.local.array(4 if n > 2 else 3, float32)
    part[0] = 1
    out[0] = part[0]


@cuda.jit
def middle_once(x, out):
    out[0] = 1 if 0 < cuda.atomic.add(out, 0, 1.0) < 4 else 2


@cuda.jit
def half_and_half(h, out):
    out[0] = h[0] + h[1]


@cuda.jit
def half_of_double(h, d):
    h[0] = d[0]


@cuda.jit
def half_as_condition(h, out):
    out[0] = 1 if h[0] else 2


H, D = types.float16[::1], types.float64[::1]

CASES = {
    two_types: ((X, X), r"two_types: total is int64 and then float64, and a C\+\+ variable has one type"),
    unknown_step: ((X, X, int64), r"whether `n` is positive is not known; `if n > 0:` around the loop would"),
    slice_backwards: ((X, X), r"whether the step `-1` is positive is not known"),
    slice_that_counts: ((X, X), r"does more than read; give its bounds names before"),
    list_from_outside: ((X, X), r"`TABLE` is of the type list, which is no number"),
    unknown_call: ((X, X), r"Numba cannot compile it"),
    else_of_a_loop: ((X, X), r"C\+\+ has no `else` of a loop"),
    order_of_writes: ((X, X), r"one part writes what another may read"),
    several_arrays: ((X, X), r"row stands for several arrays; give each a name of its own"),
    whole_array: ((X, X), r"C\+\+ does not fill a whole array; write a loop over the elements"),
    match_of_all: ((X, X), r"cuda.match_all_sync stands on a line of its own"),
    half_and_half: ((H, X), r"float16 is stored here; convert with float32\(...\) first"),
    half_of_double: ((H, D), r"makes a float16 of float64; convert with float32\(...\) first"),
    half_as_condition: ((H, X), r"`h\[0\]` is a float16; convert"),
    says_something: ((X, X), r"`print` is not translated"),
    complex_number: ((X, X), r"`complex` is not translated"),
    shape_that_varies: ((X, X, int64), r"Numba cannot compile it"),
    middle_once: ((X, X), r"Python evaluates the middle of this comparison once; give it a name before"),
}
