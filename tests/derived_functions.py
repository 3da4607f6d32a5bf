"""The nine functions that derive is held to, in the kernel's own Python, and once more in mpmath."""

import math

from mpmath import mp

DELTA = 1.5
C = 4.685
ALPHA = 0.25
GAMMA = 2.0


def squared_error(x, y):
    return (x - y) ** 2


def huber(x, y):
    d = abs(x - y)
    if d <= DELTA:
        return 0.5 * d * d
    return DELTA * (d - 0.5 * DELTA)


def log_cosh(x, y):
    return math.log(math.cosh(x - y))


def tukey(x, y):
    r = (x - y) / C
    if abs(r) > 1.0:
        return C * C / 6.0
    return C * C / 6.0 * (1.0 - (1.0 - r * r) ** 3)


def focal(x, t):
    p = 1.0 / (1.0 + math.exp(-x))
    if t > 0.5:
        return -ALPHA * (1.0 - p) ** GAMMA * math.log(p)
    return -(1.0 - ALPHA) * p**GAMMA * math.log(1.0 - p)


def bce(x, t):
    p = 1.0 / (1.0 + math.exp(-x))
    return -(t * math.log(p) + (1.0 - t) * math.log(1.0 - p))


def sigmoid_rsqrt(x):
    return 1.0 / (1.0 + math.exp(-x)) * (1.0 / math.sqrt(1.0 + math.exp(x)))


def x_exp_minus_y(x, y):
    return x * math.exp(-y)


def sine_squared(x):
    return math.sin(x) ** 2


BY = {squared_error: "x", huber: "x", log_cosh: "x", tukey: "x", focal: "x", bce: "x", sigmoid_rsqrt: "x",
      x_exp_minus_y: "y", sine_squared: "x"}  # fmt: skip


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def _focal_value(x, t):
    p = _sigmoid(x if t == 1 else -x)
    return -(mp.mpf(1) / 4 if t == 1 else mp.mpf(3) / 4) * (1 - p) ** 2 * mp.log(p)


EXACT = {
    squared_error: lambda x, y: (x - y) ** 2,
    huber: lambda x, y: (x - y) ** 2 / 2 if abs(x - y) <= 1.5 else mp.mpf(3) / 2 * (abs(x - y) - mp.mpf(3) / 4),
    log_cosh: lambda x, y: mp.log(mp.cosh(x - y)),
    tukey: lambda x, y: (
        -((1 - ((x - y) / mp.mpf("4.685")) ** 2) ** 3 if abs(x - y) <= mp.mpf("4.685") else 0)
        * mp.mpf("4.685") ** 2
        / 6
    ),
    focal: _focal_value,
    bce: lambda x, t: -t * mp.log(_sigmoid(x)) - (1 - t) * mp.log(_sigmoid(-x)),
    sigmoid_rsqrt: lambda x: _sigmoid(x) / mp.sqrt(1 + mp.exp(x)),
    x_exp_minus_y: lambda x, y: x / mp.exp(y),
    sine_squared: lambda x: (1 - mp.cos(2 * x)) / 2,
}
"""The same nine in mpmath, each but for a constant, written apart from what derive reads."""
