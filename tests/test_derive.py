"""derive gives the derivative: of nine functions, at kinks, in the form that float32 computes, and nothing else."""

import math
import re

import mpmath
import numpy as np
import pytest
import torch
from derived_functions import (
    BY,
    DELTA,
    EXACT,
    bce,
    focal,
    huber,
    sigmoid_rsqrt,
    sine_squared,
    squared_error,
    tukey,
    x_exp_minus_y,
)
from everyday import everyday
from numba import cuda, float32, float64

import workbench as wb
from workbench.gradients.symbolic.reading import DerivationError

NINE = list(BY)
SECOND = {"t": (0.0, 1.0), "y": (-3.0, 0.0, 1.0), "x": (-2.0, 1.0)}
DERIVED = {}


def derived(function, dtype=torch.float32):
    key = (function, dtype)
    if key not in DERIVED:
        DERIVED[key] = wb.derive(function, by=BY.get(function), dtype=dtype)
    return DERIVED[key]


def evaluate(device_function, *columns, dtype=torch.float32):
    """A device function of one or two arguments at each row, computed in a kernel."""

    @cuda.jit
    def one(x, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = device_function(x[i])

    @cuda.jit
    def two(x, y, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = device_function(x[i], y[i])

    columns = [torch.tensor(c, dtype=dtype) for c in columns]
    out = torch.empty_like(columns[0])
    wb.launch((one if len(columns) == 1 else two)[wb.blocks(out.numel()), 256], *columns, out)
    return out.tolist()


def slope(function, k, point, side=0):
    """The derivative by argument k, by differences of the function in mpmath."""
    with mpmath.workdps(200):
        point = [mpmath.mpf(float(v)) for v in point]
        return mpmath.diff(lambda v: function(*point[:k], v, *point[k + 1 :]), point[k], direction=side)


def table(function, dtype):
    """Points over |x| <= 120 and, for the second argument, its values in SECOND."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    k = names.index(BY[function])
    along = np.concatenate([np.linspace(-120, 120, 97), np.linspace(-5.03, 5.11, 60), [1e-6, -1e-4]]).astype(dtype)
    others = [SECOND[name] for j, name in enumerate(names) if j != k]
    if not others:
        return k, [(float(v),) for v in along]
    return k, [(float(v), o) if k == 0 else (o, float(v)) for o in others[0] for v in along]


@pytest.mark.parametrize("dtype", everyday([torch.float32, torch.float64], 2))
@pytest.mark.parametrize("function", NINE)
def test_nine_functions_over_120(function, dtype):
    kind = np.float32 if dtype == torch.float32 else np.float64
    k, points = table(function, kind)
    got = evaluate(derived(function, dtype).function, *zip(*points, strict=True), dtype=dtype)
    largest = float(np.finfo(kind).max)
    worst = 0.0
    for point, answer in zip(points, got, strict=True):
        truth = slope(EXACT[function], k, point)
        if abs(truth) > largest:
            assert answer == math.copysign(math.inf, truth), point
            continue
        beside = list(point)
        beside[k] = float(np.nextafter(kind(point[k]), kind(np.inf)))
        unit = max(float(np.spacing(kind(abs(truth)))), float(abs(slope(EXACT[function], k, beside) - truth)))
        worst = max(worst, float(abs(answer - truth)) / unit)
    assert worst <= 8  # Tukey has 5.7 where it nearly vanishes: rounding x - y alone makes 2 of x's units there


def test_what_focal_loses_is_what_its_factors_lose():
    # d/dx = ¾ σ² (σ + 2 σ(-x) softplus(x)), three small factors where x is low, so what each loses adds up. In ε of its
    # size: σ loses 1 by exp and ½ each by its sum and its quotient, σ² twice that and ½, and 1 by exp, 1 by log1p and
    # ½ by the sum in softplus, 1½ in σ(-x) and ½ in each product make 5½ of the bracket. With the last product, 10½.
    # An ε is one to two ulps. With correctly rounded exp and log1p, 4.3 ε or 6.3 ulps are left: σ³ has three factors.
    x = np.random.default_rng(1).uniform(-30, 30, 1500).astype(np.float32)
    got = evaluate(derived(focal).function, x.tolist(), [0.0] * len(x))
    wrong = []
    with mpmath.workdps(40):
        for point, answer in zip(x.tolist(), got, strict=True):
            p = 1 / (1 + mpmath.exp(-mpmath.mpf(point)))
            truth = 0.75 * p**2 * (p + 2 * (1 - p) * mpmath.log(1 + mpmath.exp(mpmath.mpf(point))))
            wrong.append(float(abs(answer / truth - 1)) * 2**23)
    assert 2 < max(wrong) <= 10.5


def float64_lines(function, *kinds):
    """The PTX instructions and registers of a device function that are float64, and the type that it returns."""
    ptx, kind = cuda.compile(function, kinds, cc=(9, 0), device=True)
    return [line.strip() for line in ptx.splitlines() if ".f64" in line], kind


@pytest.mark.parametrize("function", NINE)
def test_float32_stays_float32(function):
    own = derived(function).function.py_func
    found, kind = float64_lines(own, *(float32,) * own.__code__.co_argcount)
    assert kind == float32
    assert not found


def sine(x):
    return math.sin(x)


def cosine_and_tangent(x):
    return math.cos(x) * math.tan(2 * x)


@pytest.mark.parametrize("function", [sine, cosine_and_tangent])
def test_float32_stays_float32_where_cuda_does_not(function):
    """CUDA reduces the argument of a sine, a cosine and a tangent beyond 105,615 in float64."""
    assert float64_lines(function, float32)[0]
    assert not float64_lines(wb.derive(function).function.py_func, float32)[0]


def test_what_is_derived_can_be_derived_again():
    once = wb.derive(sine_squared)
    assert "from workbench.trigonometry import sine\n" in once.source
    twice = wb.derive(once.function)
    assert twice.same_as(lambda x: 2 * math.cos(2 * x))
    assert "trigonometry" not in wb.derive(sine_squared, dtype=torch.float64).source


def test_the_check_for_float64_can_fail():
    assert float64_lines(squared_error, float32, float64)[0]


@pytest.mark.parametrize("function", NINE)
def test_float64_source_has_no_float32(function):
    assert "float32" not in derived(function, torch.float64).source


@pytest.mark.parametrize(
    ("function", "latex"),
    [
        (squared_error, r"2 \left(x - y\right)"),
        (x_exp_minus_y, r"- x e^{- y}"),
        (sine_squared, r"\sin{\left(2 x \right)}"),
    ],
)
def test_latex(function, latex):
    assert derived(function).latex == latex
    assert latex in derived(function)._repr_latex_()


def test_named_constants_keep_their_names():
    found = derived(huber)
    assert r"\delta \operatorname{sign}" in found.latex
    assert f"DELTA = float32({DELTA})\n" in found.source
    assert found.source in str(found)


def test_steps_and_page():
    words = [step.words for step in derived(bce).steps]
    assert words[:3] == ["the function", "with sigmoid and softplus kept whole", "differentiated rule by rule"]
    page = derived(huber)._repr_html_()
    assert "if abs(x - y)" in page or "&gt;= abs(x - y)" in page
    assert "<ol>" in page


def softplus(x):
    return math.log(1.0 + math.exp(x))


def bce_by_parts(x, t):
    return max(x, 0.0) - x * t + math.log1p(math.exp(-abs(x)))


def swish(x):
    return x * math.exp(x) / (1.0 + math.exp(x))


@pytest.mark.parametrize(("function", "at_1000"), [(softplus, 1.0), (swish, 1.0)])
def test_what_overflows_as_written_is_derived_without_overflow(function, at_1000):
    assert evaluate(derived(function).function, [1000.0, -1000.0]) == [at_1000, 0.0]


def test_a_function_that_is_smooth_where_its_parts_have_kinks():
    assert not derived(bce_by_parts).kinks
    assert evaluate(derived(bce_by_parts).function, [0.0, 0.0], [0.0, 1.0]) == [0.5, -0.5]
    small = evaluate(derived(bce_by_parts).function, [30.0], [1.0])[0]  # sigmoid(30) - 1 would be 0 in float32
    assert small == pytest.approx(-math.exp(-30), rel=1e-6, abs=0)


def test_log_sigmoid_far_out():
    def log_sigmoid(x):
        return math.log(1.0 / (1.0 + math.exp(-x)))

    assert evaluate(derived(log_sigmoid).function, [-200.0, 0.0, 200.0]) == [1.0, 0.5, 0.0]


def absolute(x):
    return abs(x)


def hinge(x):
    return max(x, 0.0)


def hinge_other_way(x):
    return max(0.0, x)


def capped(x):
    return min(x, 1.0)


@pytest.mark.parametrize(
    ("function", "x", "slopes", "said"),
    [
        (absolute, 0.0, [-1.0, 0.0, 1.0], "where x = 0, abs has slope 0"),
        (hinge, 0.0, [0.0, 1.0, 1.0], "max has the slope of x, its first"),
        (hinge_other_way, 0.0, [0.0, 0.0, 1.0], "max has the slope of 0.0, its first"),
        (capped, 1.0, [1.0, 1.0, 0.0], "min has the slope of x, its first"),
    ],
)
def test_the_slope_at_a_kink_is_the_one_that_is_said(function, x, slopes, said):
    found = derived(function)
    assert evaluate(found.function, [x - 0.5, x, x + 0.5]) == slopes
    assert said in " ".join(found.kinks)


def test_huber_at_its_delta():
    edge = float(np.float32(DELTA))
    past = float(np.nextafter(np.float32(DELTA), np.float32(2)))
    got = evaluate(derived(huber).function, [edge, past, -edge, -past, 0.0], [0.0] * 5)
    assert got == [DELTA, DELTA, -DELTA, -DELTA, 0.0]


def leaky(x):
    if x > 0.0:
        return x
    return 0.1 * x


def step(x, y):
    return 1.0 if x > y else 0.0


def half_huber(x, y):
    d = abs(x - y)
    return 0.5 * d * d if d <= DELTA else d - 0.5 * DELTA * DELTA


def far(x):
    return abs(x - 1000.0)


def absolute_cubed(x):
    return abs(x) ** 3


def absolute_times_y(x, y):
    return abs(x) * y


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (huber, []),
        (tukey, []),
        (focal, []),
        (absolute_cubed, []),
        (leaky, ["where a branch ends (x > 0.0)"]),
        (step, ["where a branch ends (x > y)"]),
        (half_huber, ["where a branch ends (DELTA >= abs(x - y))"]),
        (far, ["where x - 1000.0 = 0, abs has slope 0"]),
        (absolute_times_y, ["where x = 0, abs has slope 0"]),
    ],
)
def test_only_where_the_slope_jumps_is_a_kink(function, said):
    found = derived(function).kinks
    assert len(found) == len(said), found
    assert all(sentence.startswith(start) for sentence, start in zip(found, said, strict=True))


def test_nan_goes_through():
    for function in (absolute, softplus, sine_squared):
        assert math.isnan(evaluate(derived(function).function, [math.nan])[0])


# what people write by hand


def huber_by_hand(x, y):
    return min(max(x - y, -DELTA), DELTA)


def bce_by_hand(x, t):
    return 1.0 / (1.0 + math.exp(-x)) - t


def bce_off(x, t):
    return 1.001 / (1.0 + math.exp(-x)) - t


def squared_error_off(x, y):
    return 2.002 * (x - y)


def squared_error_flipped(x, y):
    return 2.0 * (y - x)


def squared_error_half(x, y):
    return x - y


def sine_squared_by_hand(x):
    return 2.0 * math.sin(x) * math.cos(x)


def sine_squared_misprint(x):
    return 2.0 * math.sin(x) * math.cos(math.sin(x))


def sigmoid_rsqrt_by_hand(x):
    s = 1.0 / (1.0 + math.exp(-x))
    return s * (1.0 - s) ** 0.5 * (1.0 - s - 0.5 * s)


def sigmoid_rsqrt_misprint(x):
    s = 1.0 / (1.0 + math.exp(-x))
    return (1.0 - s**2) * 0.5 * (math.exp(x) + 1.0) ** (-1.5) * (1.0 + 3.0 * math.exp(x))


def tukey_rounded(x, y):
    r = x - y
    if abs(r) > 4.685:
        return 0.0
    return r * (1.0 - 0.04555970 * r * r) ** 2


@cuda.jit(device=True)
def x_exp_by_hand(x, y):
    return -x * math.exp(-y)


@pytest.mark.parametrize(
    ("function", "hand"),
    [
        (huber, huber_by_hand),
        (bce, bce_by_hand),
        (sine_squared, sine_squared_by_hand),
        (sigmoid_rsqrt, sigmoid_rsqrt_by_hand),
        (x_exp_minus_y, x_exp_by_hand),
    ],
)
def test_the_same_function_in_another_form(function, hand):
    verdict = derived(function).same_as(hand)
    assert verdict, verdict
    assert verdict.same
    assert str(verdict).startswith("the same function")


@pytest.mark.parametrize(
    ("function", "hand", "words"),
    [
        (squared_error, squared_error_off, "1.001 times the derivative everywhere"),
        (squared_error, squared_error_flipped, "the sign is flipped"),
        (squared_error, squared_error_half, "a factor 2 is missing"),
        (bce, bce_off, "points differ; at x ="),
        (sine_squared, sine_squared_misprint, "points differ; at x ="),
        (sigmoid_rsqrt, sigmoid_rsqrt_misprint, "points differ; at x ="),
        (tukey, tukey_rounded, "points differ"),
    ],
)
def test_another_function_is_told_apart(function, hand, words):
    verdict = derived(function).same_as(hand)
    assert not verdict
    assert words in verdict.words
    assert str(verdict).startswith("NOT the same function")


def test_parameters_must_be_the_same():
    with pytest.raises(DerivationError, match="has the parameters x, t; a gradient to compare has those of"):
        derived(squared_error).same_as(bce_by_hand)


def test_stability_says_where_it_holds():
    found = derived(sigmoid_rsqrt).stability()
    assert found.holds == (-120.0, 120.0)
    assert found.worst < 8
    overflows = derived(x_exp_minus_y).stability(x=(0.0,))
    assert overflows.holds == (-88.0, 120.0)  # 0 * exp(-y) is 0 * inf from -89 down
    assert overflows.worst == math.inf
    assert overflows.where["y"] < -88
    assert "-88 to 120" in str(overflows)


def test_stability_sees_a_form_that_cancels():
    from dataclasses import replace

    text = derived(bce).source.replace(
        "return (float32(1) - t) * sigmoid(x) - t * sigmoid(-x)", "return sigmoid(x) - t"
    )
    assert text != derived(bce).source
    low, high = replace(derived(bce), source=text).stability(t=(1.0,)).holds
    assert (low, high < 8) == (-120.0, True)


def test_stability_in_float64():
    assert derived(focal).stability(-30, 30, dtype=torch.float64, t=(0.0, 1.0)).worst < 8


def loop(x):
    total = 0.0
    for k in range(3):
        total += x**k
    return total


def indexes(x, k):
    return x[k]


def unknown(x):
    return math.gamma(x)


def prints(x):
    print(x)
    return x


def half_a_path(x):
    if x > 0.0:
        return x


def remainder(x):
    return x % 2.0


def itself(x):
    return itself(x - 1.0)


NAMES = ["text"]


def text(x):
    return x * NAMES


@cuda.jit
def kernel(x, out):
    out[0] = x[0]


@pytest.mark.parametrize(
    ("function", "words", "line"),
    [
        (loop, "a `for` loop cannot be derived", 2),
        (indexes, r"`x\[k\]` reads an array; derive the function of one element", 1),
        (unknown, r"`math.gamma` cannot be derived; call math", 1),
        (prints, r"`print\(x\)` cannot be derived", 1),
        (half_a_path, "does not return a value on every path", 0),
        (remainder, "`x % 2.0` has no derivative", 1),
        (itself, "calls itself", 1),
        (text, "`NAMES` is list, not a number", 1),
    ],
)
def test_what_cannot_be_derived_is_refused_with_its_line(function, words, line):
    line += function.__code__.co_firstlineno
    with pytest.raises(DerivationError, match=rf"test_derive.py, line {line}: .*{words}"):
        wb.derive(function)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wb.derive(kernel), "'kernel' is a kernel, which returns nothing"),
        (lambda: wb.derive(math.sin), "is no function written in Python"),
        (lambda: wb.derive(huber, by="z"), "has no parameter 'z'; it has x, y"),
        (lambda: wb.derive(huber, dtype=torch.float16), "choose torch.float32 or torch.float64"),
        (lambda: derived(huber).stability(3, 2), "low=3 is not below high=2"),
        (lambda: derived(huber).stability(t=(1.0,)), "'t' is not one of the other parameters, y"),
    ],
)
def test_calls_that_cannot_be_right(call, words):
    with pytest.raises(DerivationError, match=re.escape(words)):
        call()


def test_a_lambda_and_a_power():
    assert wb.derive(lambda x, y: (x - y) ** 2).latex == r"2 \left(x - y\right)"

    def power(x, y):
        return x**y

    found = wb.derive(power, by="y")
    assert evaluate(found.function, [2.0], [3.0])[0] == pytest.approx(8 * math.log(2), rel=1e-6)


def test_functions_that_call_functions():
    @cuda.jit(device=True)
    def residual(x, y):
        return float32(2.0) * (x - y)

    @cuda.jit(device=True)
    def loss(x, y):
        r = residual(x, y)
        r *= r
        return float32(0.5) * r

    assert evaluate(wb.derive(loss, by="y").function, [3.0], [1.0]) == [-8.0]
