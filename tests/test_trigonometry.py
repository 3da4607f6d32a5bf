"""Sine, cosine and tangent of workbench.trigonometry: as right as they say for any float32, and no float64."""

import math

import mpmath
import numpy as np
import ported_kernels
import pytest
import torch
from numba import cuda, float32

import workbench as wb
from workbench.porting.translation import translate
from workbench.trigonometry import TWO_OVER_PI, cosine, sine, tangent

FUNCTIONS = {
    "sine": (sine, mpmath.sin, 1.2),
    "cosine": (cosine, mpmath.cos, 1.2),
    "tangent": (tangent, mpmath.tan, 3),
}
NAMED = pytest.mark.parametrize("name", FUNCTIONS)


def next_to(values):
    """The floats at each value, and on both sides of it."""
    near = np.asarray(values, np.float32)
    return np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))])


def any_float(rng, n):
    """Floats of random bits: of every exponent alike."""
    some = rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    return some[np.isfinite(some)]


RNG = np.random.default_rng(7)
ARGUMENTS = {
    "to 120": RNG.uniform(-120, 120, 2000).astype(np.float32),
    "to 105,615": RNG.uniform(-105615, 105615, 1000).astype(np.float32),
    "any": any_float(RNG, 3000),
    "multiples of half a right angle": next_to([k * math.pi / 4 for k in range(-400, 400)]),
    "powers of two": next_to([sign * 2.0**k for k in range(-148, 128) for sign in (-1, 1)]),
    "nearest to a right angle": next_to([16367173 * 2.0**72, -16367173 * 2.0**72, 1.5707964]),
}
"""16367173 · 2**72 is of all floats the one that comes nearest to a multiple of a right angle, for its size."""


def computed(function, x):
    """A device function of each element, in a kernel."""

    @cuda.jit
    def each(x, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = function(x[i])

    given = torch.from_numpy(np.array(x, np.float32))
    out = torch.full_like(given, math.nan)
    wb.launch(each[wb.blocks(len(x)), 256], given, out)
    return out.numpy()


def ulps(x, found, truth):
    """How far each is from the truth, in units in the last place of it."""
    with mpmath.workprec(400):
        for argument, got in zip(x.tolist(), found.tolist(), strict=True):
            true = truth(mpmath.mpf(argument))
            unit = mpmath.ldexp(1, max(int(mpmath.frexp(true)[1]) - 24, -149))
            yield float(abs(mpmath.mpf(got) - true) / unit)


def test_the_words_are_two_over_pi():
    with mpmath.workprec(400):
        digits = int(mpmath.floor(mpmath.ldexp(2 / mpmath.pi, 32 * 7)))
    words = [digits >> 32 * k & 0xFFFFFFFF for k in reversed(range(7))]
    assert TWO_OVER_PI.tolist() == [0, *words]


@NAMED
@pytest.mark.parametrize("kind", ARGUMENTS)
def test_within_the_ulps_that_they_say(name, kind):
    function, truth, most = FUNCTIONS[name]
    x = ARGUMENTS[kind]
    assert max(ulps(x, computed(function, x), truth)) <= most


def test_the_measure_can_fail():
    x = ARGUMENTS["to 120"]
    assert max(ulps(x, computed(sine, x) * np.float32(1 + 3e-7), mpmath.sin)) > 1.2


@NAMED
def test_at_the_ends(name):
    function = FUNCTIONS[name][0]
    least = np.float32(1e-45)
    found = computed(function, [0.0, -0.0, least, -least, math.inf, -math.inf, math.nan])
    assert np.isnan(found[4:]).all()
    if name == "cosine":
        assert (found[:4] == 1).all()
    else:
        assert found[:4].tolist() == [0.0, 0.0, least, -least]
        assert np.signbit(found[:4]).tolist() == [False, True, False, True]


def of_plain_sine(x):
    return math.sin(x)


def ptx_of(function):
    ptx, result = cuda.compile(function, (float32,), cc=(9, 0), device=True)
    assert result == float32
    return ptx


@NAMED
def test_no_float64_and_no_local_memory(name):
    ptx = ptx_of(FUNCTIONS[name][0].py_func)
    assert ".f64" not in ptx
    assert ".local" not in ptx


def test_cuda_has_both():
    ptx = ptx_of(of_plain_sine)
    assert ".f64" in ptx
    assert ".local" in ptx


def test_of_a_float64_it_is_that_of_the_nearest_float32():
    @cuda.jit
    def both(x, out):
        i = cuda.grid(1)
        if i < x.size:
            out[i, 0], out[i, 1] = sine(x[i]), sine(float32(x[i]))

    x = torch.linspace(-1000, 1000, 999, dtype=torch.float64)
    out = torch.full((999, 2), math.nan)
    wb.launch(both[4, 256], x, out)
    assert torch.equal(out[:, 0], out[:, 1])


@cuda.jit
def all_three(x, out):
    """Updates: out[i], by the element i of x."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = sine(x[i]) + cosine(x[i]) - tangent(x[i])


def test_the_same_bits_however_it_is_run():
    x = torch.tensor([0.3, 100.0, -1e30, 5e5, -0.0, 1e-40])
    plain, sanitized, stepped = (torch.full_like(x, math.nan) for _ in range(3))
    wb.launch(all_three[1, 32], x, plain)
    wb.launch(all_three[1, 32], x, sanitized, sanitize=True)
    wb.debug(all_three[1, 32], x, stepped)
    assert plain.isfinite().all()
    assert torch.equal(plain, sanitized)
    assert torch.equal(plain, stepped)


@cuda.jit
def of_cuda(x, out):
    """Updates: out[i], by the element i of x."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = math.sin(x[i]) + math.cos(x[i]) - math.tan(x[i])


def test_the_report_sees_the_difference():
    x, out = torch.ones(8), torch.empty(8)
    own, cudas = wb.report(all_three, x, out), wb.report(of_cuda, x, out)
    assert own.float64 == own.slow_paths[1:] == ()  # one division, of the tangent
    assert own.resources.local == 0 < cudas.resources.local
    assert any("workbench.trigonometry" in path.advice for path in cudas.slow_paths)


def test_the_port_computes_the_same_bits(tmp_path):
    x = np.concatenate(list(ARGUMENTS.values()))
    given = torch.from_numpy(x)
    wanted = torch.full_like(given, math.nan)
    grid = wb.blocks(len(x))
    wb.launch(all_three[grid, 256], given, wanted)
    translation = translate(all_three, (float32[::1], float32[::1]))
    assert translation.warnings == ()
    text = ported_kernels.file_of([translation]) + ported_kernels.CALLER + ported_kernels.caller_of(translation, "run")
    library = ported_kernels.compiled(text, tmp_path)
    found = np.full_like(x, np.nan)
    ported_kernels.call(library, "run", translation, ((grid,), (256,), 0), (x, found))
    np.testing.assert_array_equal(found, wanted.numpy())
