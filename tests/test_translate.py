"""A kernel as CUDA C++: how it reads, what it means, what is warned of and what is refused."""

import linecache
import sys
from pathlib import Path

import numpy as np
import ported_kernels
import pytest
import refused_kernels
import torch
from numba import cuda, float32, float64, int32, int64, types
from numba.cuda import libdevice

import workbench as wb
from workbench.errors import PortError
from workbench.losses import cross_entropy, squared_distance, squared_error  # noqa: F401, so that their modules are there
from workbench.porting.translation import translate

float16 = types.float16
F32, F64 = types.float32[::1], types.float64[::1]
I32, I64 = types.int32[::1], types.int64[::1]
F32_2 = types.float32[:, ::1]


def kernel_of(source, label):
    """The kernel ``k`` of a source that has no file."""
    file = f"<{label}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {}
    exec(compile(source, file, "exec"), namespace)
    return namespace["k"]


GOLDEN = Path(__file__).parent / "translations"


def module(name):
    return sys.modules[f"workbench.losses.{name}"]


def _squared_error():
    return [translate(module("squared_error").squared_error_gradient_kernel, (F32, F32, F32, F32))]


def _squared_distance():
    single, double = (module("squared_distance").KERNELS[dtype] for dtype in (torch.float32, torch.float64))
    types_of = {"squared_distance": 3, "partial_squared_distance": 3, "total": 2}
    return [translate(getattr(single, name), (F32,) * count, getattr(double, name)) for name, count in types_of.items()]


def _cross_entropy():
    rows, number = (F32_2, I64, F32), types.int64
    return [
        translate(module("cross_entropy").cross_entropy_kernel, (*rows, F32, F32, number, F32, F32, F32)),
        translate(
            module("cross_entropy").cross_entropy_gradient_kernel,
            (*rows, F32, F32, F32, F32, F32, F32, number, F32_2),
        ),
    ]


@pytest.mark.parametrize("name", ["squared_error", "squared_distance", "cross_entropy"])
def test_text(name):
    text = ported_kernels.file_of(globals()[f"_{name}"]())
    assert text == (GOLDEN / f"{name}.cu").read_text()


@pytest.mark.parametrize("kernel", refused_kernels.CASES, ids=lambda kernel: kernel.py_func.__name__)
def test_refused(kernel):
    argument_types, message = refused_kernels.CASES[kernel]
    with pytest.raises(PortError, match=rf"refused_kernels.py:\d*.*{message}"):
        translate(kernel, argument_types)


# one statement over x, y (float32), p, q (int64), r (int32), t (int32, the thread's), i (int64), n (int64) and the line
# of C++ that it must become
LINES = {
    "out[i] = 0.5 * x[i]": "out[i] = 0.5 * x[i];",
    "out[i] = 2 * x[i]": "out[i] = 2.0 * x[i];",
    "out[i] = x[i] * p[i]": "out[i] = double(x[i]) * p[i];",
    "out[i] = p[i] / q[i]": "out[i] = double(p[i]) / q[i];",
    "out[i] = x[i] - x.dtype.type(1)": "out[i] = x[i] - scalar_t(1);",
    "out[i] = float32(0.1) * x[i]": "out[i] = 0.1f * x[i];",
    "out[i] = HALF * x[i]": "out[i] = HALF * x[i];",
    "out[i] = p[i] // q[i]": "out[i] = floor_div(p[i], q[i]);",
    "out[i] = i // 32": "out[i] = i / 32;",
    "out[i] = t % 32 + p[i] % 32": "out[i] = t % 32 + floor_mod<int64_t>(p[i], 32);",
    "out[i] = t * 7 + 1": "out[i] = t * 7 + 1;",
    "out[i] = r[i] * 7": "out[i] = int64_t(r[i]) * 7;",
    "out[i] = r[i] + q[i]": "out[i] = r[i] + q[i];",
    "out[i] = 1 << (i & 63)": "out[i] = int64_t(1) << (i & 63);",
    "out[i] = -t": "out[i] = -t;",
    "out[i] = -cuda.threadIdx.x": "out[i] = -int(threadIdx.x);",
    "out[i] = -r[i]": "out[i] = -r[i];",
    "out[i] = -(-x[i])": "out[i] = -(-x[i]);",
    "out[i] = (p[i] + n) % 7": "out[i] = floor_mod<int64_t>(p[i] + n, 7);",
    "out[i] = -uint32(t) + ~uint8(t)": "out[i] = uint64_t(-uint32_t(t)) + uint8_t(~uint8_t(t));",
    "out[i] = x[i] ** 2": "out[i] = power<2>(x[i]);",
    "out[i] = HALF ** 2": "out[i] = HALF * HALF;",
    "out[i] = x[i] ** x[0]": "out[i] = pow(x[i], x[0]);",
    "out[i] = x[i] % x[0]": "out[i] = floor_mod(x[i], x[0]);",
    "out[i] = max(x[i], x[0], x[1])": "out[i] = fmax(fmax(x[i], x[0]), x[1]);",
    "out[i] = max(x[i], 0.0)": "out[i] = fmax(double(x[i]), 0.0);",
    "out[i] = min(p[i], n)": "out[i] = min(p[i], n);",
    "out[i] = min(t, n)": "out[i] = min(int64_t(t), n);",
    "out[i] = abs(x[i]) if x[i] < 0 else x[i]": "out[i] = x[i] < 0 ? fabs(x[i]) : x[i];",
    "out[i] = x[i] < 0.1": "out[i] = x[i] < 0.1;",
    "out[i] = 0 <= p[i] < n": "out[i] = 0 <= p[i] && p[i] < n;",
    "out[i] = not (t < 3 and i > 2)": "out[i] = !(t < 3 && i > 2);",
    "out[i] = (t < 3 and i > 2) or n == 1": "out[i] = (t < 3 && i > 2) || n == 1;",
    "out[i] = p[i] and 7": "out[i] = p[i] ? 7 : p[i];",
    "out[i] = (x[i] - 1) * (x[i] + 1)": "out[i] = (x[i] - 1.0) * (x[i] + 1.0);",
    "out[i] = (x[i] / x[0]) * x[1]": "out[i] = (x[i] / x[0]) * x[1];",
    "out[i] = math.exp(x[i] - x[0])": "out[i] = exp(x[i] - x[0]);",
    "out[i] = math.exp(n)": "out[i] = exp(double(n));",
    "out[i] = round(x[i])": "out[i] = int64_t(rint(x[i]));",
    "out[i] = int(x[i])": "out[i] = int64_t(x[i]);",
    "out[-1] = x[-2]": "out[out.size() - 1] = x[x.size() - 2];",
    "out[i] += 1": "out[i] += 1.0;",
    "out[i] //= x[0]": "out[i] = floor_div(out[i], x[0]);",
    "out[i] = cuda.ballot_sync(0xFFFFFFFF, t < n)": "out[i] = int(__ballot_sync(0xFFFFFFFF, t < n));",
    "out[i] = cuda.shfl_xor_sync(0xFFFFFFFF, x[i], 1)": "out[i] = __shfl_xor_sync(0xFFFFFFFF, x[i], 1);",
    "cuda.atomic.max(out, 0, x[i])": "atomicMax(&out[0], x[i]);",
    "out[i] = math.nan": "out[i] = NAN;",
    "out[i] = libdevice.fast_expf(x[i])": "out[i] = __expf(float(x[i]));",
    "out[i] = libdevice.rsqrtf(x[i])": "out[i] = rsqrtf(float(x[i]));",
    "out[i] = libdevice.sinh(x[i])": "out[i] = sinh(double(x[i]));",
    "out[i] = libdevice.float_as_int(x[i]) + p[i]": "out[i] = __float_as_int(float(x[i])) + p[i];",
    "out[i] = libdevice.longlong_as_double(p[i])": "out[i] = __longlong_as_double(p[i]);",
    "out[i] = (1 / 9) ** 3": "out[i] = pow(1 / 9.0, 3.0);",
    "out[i] = -(not p[i]) >> 1": "out[i] = -!p[i] >> 1;",
    "out[i] = ~(not p[i]) or 7": "out[i] = !!p[i] ? !!p[i] : 7;",
    "out[i] = abs(uint32(t) >> 1)": "out[i] = uint64_t(uint32_t(t) >> 1);",
    "out[i] = (x[i] if HALF > 0.1 else 2 * x[i]) * x[0]": "out[i] = x[i] * x[0];",
    "out[i] = (x[i] if n > 1 else 2 * x[i]) * x[0]": "out[i] = (n > 1 ? x[i] : 2.0 * x[i]) * x[0];",
    "out[i] = x[1:][i]": "out[i] = x.slice(0, 1)[i];",
    "out[i] = x[:n].size": "out[i] = x.slice(0, 0, n).size();",
    "out[i] = x[t % 32 :: 32][i]": "out[i] = x.slice(0, t % 32, INT64_MAX, 32)[i];",
    "out[i] = z[i, :][t]": "out[i] = z[i][t];",
    "out[i] = z[:, t][i]": "out[i] = z.select(1, t)[i];",
    "out[i] = z[1:, :-1][i, t]": "out[i] = z.slice(0, 1).slice(1, 0, -1)(i, t);",
    "out[i] = z[i, t] + z.shape[1]": "out[i] = double(z(i, t)) + z.shape(1);",
    "out[i] = cuda.blockDim.x * cuda.blockIdx.x": "out[i] = int64_t(blockDim.x) * blockIdx.x;",
    "out[i] = cuda.popc(p[i])": "out[i] = __popcll(p[i]);",
}

HEAD = """\
import math
from numba import cuda, float32, uint8, uint32
from numba.cuda import libdevice

HALF = float32(0.5)

@cuda.jit
def k(x, z, p, q, r, n, out):
    i = cuda.grid(1)
    t = cuda.threadIdx.x
"""


@pytest.mark.parametrize("statement", LINES)
def test_line(statement):
    kernel = kernel_of(f"{HEAD}    {statement}\n", statement)
    translation = translate(kernel, (F32, F32_2, I64, I64, I32, types.int64, F32))
    assert translation.source.splitlines()[-2].strip() == LINES[statement]


@cuda.jit
def variables(x, out, n):
    i = cuda.grid(1)
    for k in range(n):
        square = x[k] * x[k]
        out[k] = square
    for k in range(2, 8, 2):
        square = x[k]  # another one
        out[k] += square
    if i > 0:
        sign = 1
        out[i - 1] = 0
    else:
        sign = -1
    first, second = n, 2
    first, second = second, first
    double = first
    while double > 0:
        double //= 2
    # what is left
    out[i] = sign * second + double


VARIABLES = """\
template <typename scalar_t>
__global__ void variables(Array<const scalar_t, 1> x, Array<scalar_t, 1> out, int64_t n) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t k = 0; k < n; ++k) {
    const scalar_t square = x[k] * x[k];
    out[k] = square;
  }
  for (int64_t k = 2; k < 8; k += 2) {
    const scalar_t square = x[k];  // another one
    out[k] += square;
  }
  int64_t sign;
  if (i > 0) {
    sign = 1;
    out[i - 1] = 0;
  } else {
    sign = -1;
  }
  int64_t first = n;
  int64_t second = 2;
  const int64_t next_first = second;
  const int64_t next_second = first;
  first = next_first;
  second = next_second;
  int64_t double_ = first;
  while (double_ > 0) {
    double_ = floor_div<int64_t>(double_, 2);
  }
  // what is left
  out[i] = sign * second + double_;
}
"""


def test_variables_are_declared_where_they_are_used():
    translation = translate(variables, (F32, F32, types.int64))
    assert translation.source == VARIABLES
    assert translation.warnings == ()


@cuda.jit
def shared(x, out):
    tile = cuda.shared.array((4, 8), float32)
    local = cuda.local.array(3, int32)
    t = cuda.threadIdx.x
    local[t % 3] = t
    tile[t // 8, t % 8] = x[t]
    cuda.syncthreads()
    out[t] = tile[t % 4, t // 4] + local[t % 3]


@cuda.jit
def dynamic(x, out):
    parts = cuda.shared.array(0, float64)
    t = cuda.threadIdx.x
    parts[t] = x[t]
    cuda.syncthreads()
    out[t] = parts[parts.size - 1 - t]


TABLE = np.array([[0.5, 2], [1, 3]], np.float32)


@cuda.jit
def constant_array(x, out):
    table = cuda.const.array_like(TABLE)
    t = cuda.threadIdx.x
    for k in range(cuda.blockDim.x):
        out[t] += table[k % 2, 1] * TABLE[0, -1] * x[k]


def test_constant_array():
    found = translate(constant_array, (F32, F32))
    assert found.devices == (("TABLE", "__constant__ const float TABLE[2][2] = {{0.5, 2.0}, {1.0, 3.0}};\n"),)
    assert "  for (int k = 0; k < blockDim.x; ++k) {" in found.source
    assert "    out[t] += TABLE[k % 2][1] * TABLE[0][2 - 1] * x[k];" in found.source


@cuda.jit(device=True)
def twice(v):
    return v + v


@cuda.jit
def overloads(x, p, out):
    """Ends with a \\"""
    t = cuda.threadIdx.x
    out[t] = twice(x[t]) + twice(p[t]) + twice(t)


def test_a_device_function_has_a_name_for_each_set_of_types():
    found = translate(overloads, (F32, I64, F32))
    assert [name for name, _ in found.devices] == ["twice", "twice_2", "twice_3"]
    assert "  out[t] = double(twice(x[t])) + twice_2(p[t]) + twice_3(t);" in found.source
    assert found.source.startswith("// Ends with a \\ .\n")


@cuda.jit(device=True)
def counted(t, n):
    t += n
    return max(t, n)


@cuda.jit
def counts(p, out):
    t = cuda.threadIdx.x
    out[t] = counted(t, p[t])


def test_a_parameter_is_as_wide_as_what_is_assigned_to_it():
    ((_, source),) = translate(counts, (I64, I64)).devices
    assert source.startswith("__device__ int64_t counted(int64_t t, int64_t n) {")


def test_a_device_function_is_left_as_it_was():
    twice.overloads["of a launch"] = "kept"
    try:
        translate(overloads, (F32, I64, F32))
        assert twice.overloads == {"of a launch": "kept"}
    finally:
        twice.overloads.clear()


def test_shared_memory():
    found = translate(shared, (F32, F32))
    assert "  __shared__ float tile[4][8];" in found.source  # float32 is meant, also in the twin
    assert "  int local[3];" in found.source
    assert "  out[t] = double(tile[t % 4][t / 4]) + local[t % 3];" in found.source
    assert found.synchronises
    assert not found.shared_dynamic
    found = translate(dynamic, (F32, F32))
    assert "  const auto parts = dynamic_shared<double>();" in found.source
    assert found.shared_dynamic


@cuda.jit
def leaks(x, d, p, out):
    i = cuda.grid(1)
    out[i] = 0.1 * x[i]
    out[i] = float32(0.1) * x[i]
    d[i] = 0.5 * d[i] + p[i]
    out[i] = p[i] / 2


def test_float64_is_warned_of():
    first = leaks.py_func.__code__.co_firstlineno
    found = [warning.split("test_translate.py:")[1] for warning in translate(leaks, (F32, F64, I64, F32)).warnings]
    assert found == [
        f"{first + 3}: leaks: `0.1 * x[i]` is computed in float64",
        f"{first + 6}: leaks: `p[i] / 2` is computed in float64",
    ]


@cuda.jit
def guarded(x, out, n):
    i = cuda.grid(1)
    if n < 0 or n >= x.size:
        return
    out[i] = x[n]
    if 0 < i < n:
        out[i] = x[i - 1]
    out[i] = x[i - 1]


def test_an_index_that_may_be_negative_is_warned_of():
    (warning,) = translate(guarded, (F32, F32, types.int64)).warnings
    line = guarded.py_func.__code__.co_firstlineno + 8
    assert warning.endswith(
        f"test_translate.py:{line}: guarded: the index `i - 1` may be negative: Numba counts it from the end, C++ does "
        "not"
    )


def test_a_kernel_that_holds_on_to_float32_is_translated_for_it_alone():
    kernel = module("squared_distance").KERNELS[torch.float32].total
    translation = translate(kernel, (F32, F32))
    assert not translation.templated
    assert "__shared__ float of_warps[WARP];" in translation.source
    assert translation.warnings[0].startswith("total_kernel: translated for float32 alone; with float64 arrays, ")


def test_a_twin_must_be_of_the_same_lines():
    with pytest.raises(PortError, match="guarded and its twin shared are not made by the same lines"):
        translate(guarded, (F32, F32, types.int64), shared)


@cuda.jit(device=True)
def sum_of(values):
    total = values.dtype.type(0)
    for k in range(values.size):
        total += values[k]
    return total


@cuda.jit
def slices(x, out):
    t = cuda.threadIdx.x
    tile = cuda.shared.array((8, 4), float32)
    tile[t % 8, t // 8] = x[t]
    cuda.syncthreads()
    total = sum_of(x[t - 16 : 24 - t : 3])  # from a place before the end on, and to one before the start
    total += sum_of(tile[:, t // 8][1:-1]) + sum_of(tile[-1, :2])
    every = out[t % 2 :: 2]
    every[t // 2] = total


@cuda.jit
def matches(x, out):
    t = cuda.threadIdx.x
    lanes, same = cuda.match_all_sync(0xFFFFFFFF, t // 32)
    # half of the lanes differ
    _, other = cuda.match_all_sync(0xFFFFFFFF, t // 16)
    if same and not other:
        out[t] = cuda.popc(lanes) + x[t]


@cuda.jit
def stored_as_half(x, out):
    t = cuda.threadIdx.x
    halves = cuda.shared.array(32, float16)
    halves[t] = float32(x[t]) / float32(3)
    cuda.syncthreads()
    half = halves[31 - t]
    if t == 0:
        halves[0] = 0.5
    cuda.syncthreads()
    out[t] = float32(half) + float32(halves[0])


@cuda.jit
def device_library(x, out):
    t = cuda.threadIdx.x
    out[t] = libdevice.fast_expf(-x[t]) + libdevice.rsqrtf(x[t] + float32(1)) + libdevice.hypot(x[t], 3.0)
    out[t] += libdevice.fast_fdividef(x[t], float32(7)) + libdevice.copysignf(x[t], float32(-1))


def test_functions_of_libdevice_run(tmp_path):
    translation = translate(device_library, (F32, F32))
    text = ported_kernels.file_of([translation]) + ported_kernels.CALLER + ported_kernels.caller_of(translation, "run")
    library = ported_kernels.compiled(text, tmp_path)
    x, found = np.arange(32, dtype=np.float32), np.zeros(32, np.float32)
    ported_kernels.call(library, "run", translation, ((1,), (32,), 0), (x, found))
    exact = np.exp(-x) + 1 / np.sqrt(x + 1) + np.hypot(x.astype(float), 3) + x / 7 - x
    np.testing.assert_allclose(found, exact, rtol=4e-6)


@cuda.jit
def least(x, out):
    """The least integer divided by -1, 0 and 1. Updates: out."""
    t = cuda.threadIdx.x
    number = int64(1) << 63
    divisor = int64(t % 3) - 1
    out[t] = x[t] + number // divisor + number % divisor


def test_translations_run(tmp_path):
    x = np.arange(32, dtype=np.float32)
    for kernel in (shared, dynamic, constant_array, slices, matches, stored_as_half, least):
        shared_bytes = 256 if kernel is dynamic else 0
        translation = translate(kernel, (F32, F32))
        text = ported_kernels.file_of([translation]) + ported_kernels.CALLER
        library = ported_kernels.compiled(
            text + ported_kernels.caller_of(translation, "run"), tmp_path, kernel.py_func.__name__
        )
        found, wanted = np.zeros((2, 32), np.float32)
        wb.launch(kernel[1, 32, 0, shared_bytes], x, wanted)
        ported_kernels.call(library, "run", translation, ((1,), (32,), shared_bytes), (x, found))
        np.testing.assert_array_equal(found, wanted)
        assert wanted.any()


@cuda.jit
def divergent(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        cuda.syncthreads()
    else:
        out[t] = cuda.shfl_sync(0xFFFFFFFF, x[t], 0)


def test_a_divergent_barrier_is_found(tmp_path):
    translation = translate(divergent, (F32, F32))
    text = ported_kernels.file_of([translation]) + ported_kernels.CALLER + ported_kernels.caller_of(translation, "run")
    library = ported_kernels.compiled(text, tmp_path)
    x = np.zeros(32, np.float32)
    with pytest.raises(RuntimeError, match="divergent barrier: 16 of 32 threads wait for the block"):
        ported_kernels.call(library, "run", translation, ((1,), (32,), 0), (x, x.copy()))


@cuda.jit
def halves(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        value = cuda.shfl_xor_sync(0xFFFF, x[t], 1)
    else:
        value = cuda.shfl_xor_sync(0xFFFF0000, x[t], 2)
        value += cuda.shfl_xor_sync(0xFFFF0000, value, 4)
    if cuda.any_sync(0xFFFFFFFF, t == 40):
        value = -value
    out[t] = value


def test_lanes_meet_those_of_their_own_mask(tmp_path):
    translation = translate(halves, (F32, F32))
    text = ported_kernels.file_of([translation]) + ported_kernels.CALLER + ported_kernels.caller_of(translation, "run")
    library = ported_kernels.compiled(text, tmp_path)
    x, found = np.arange(32, dtype=np.float32), np.zeros(32, np.float32)
    ported_kernels.call(library, "run", translation, ((1,), (32,), 0), (x, found))
    t = np.arange(32)
    np.testing.assert_array_equal(found, np.where(t < 16, t ^ 1, (t ^ 2) + (t ^ 6)))
