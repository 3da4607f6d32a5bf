"""Sine, cosine and tangent of a float32, to be called from kernels: no float64, no local memory.

CUDA's own take both for an argument beyond 105,615, and so does ``math.sin`` in a kernel, wherever its argument may
be that large.

An argument u is some number of right angles, u · 2/π. Its integer part, modulo 4, is the quadrant; what is left over
is at most half a right angle either way, where a few terms of Taylor's series suffice. The product is taken in integers
with as many bits of 2/π as it needs, so that it is as good at 1e38 as at 1 (M. Payne and R. Hanek, Radian reduction for
trigonometric functions, SIGNUM Newsletter 18, 1983). Where a product and a sum are to be one operation it says so,
which leaves a compiler no choice of bits.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32, int64, uint64
from numba.cuda.libdevice import float_as_int

TWO_OVER_PI = np.array(
    [0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB], np.uint64
)
"""2/π, 32 binary digits a word, of which the first stands before the point."""

HALF_A_RIGHT_ANGLE = float32(math.pi / 4)
RIGHT_ANGLE = float32(math.pi / 2 * 2.0**-63)
"""π/2, in units for a fraction that is an integer of 63 bits."""
RIGHT_ANGLE_REST = float32(math.pi / 2 * 2.0**-63 - float(RIGHT_ANGLE))
"""What float32 leaves out of it."""

S3, S5, S7, S9 = (float32((-1) ** (k // 2) / math.factorial(k)) for k in (3, 5, 7, 9))
C2, C4, C6, C8, C10 = (float32((-1) ** (k // 2) / math.factorial(k)) for k in (2, 4, 6, 8, 10))
"""The coefficients of Taylor's series of the sine and the cosine."""

ALMOST_LINEAR = float32(2.0**-12)
"""Below it, sin u and tan u are u but for a sixth and a third of an ulp."""


@cuda.jit(device=True, inline="always")
def shifted_sine(u, quadrant):
    """sin(u + quadrant · π/2) for a float32 u and an integer quadrant."""
    rest, tail = float32(u), float32(0)
    if not math.isfinite(rest):
        rest -= rest
    elif abs(rest) > HALF_A_RIGHT_ANGLE:
        bits = float_as_int(rest)
        whole = uint64(bits & 0x7FFFFF | 0x800000)
        first = (bits >> 23 & 255) - 120  # the digits before it make multiples of four right angles
        word, shift, half, one = uint64(first >> 5), uint64(first & 31), uint64(32), uint64(1)
        a, b = TWO_OVER_PI[word], TWO_OVER_PI[word + one]
        c, d = TWO_OVER_PI[word + one + one], TWO_OVER_PI[word + one + one + one]
        high = (a << half | b) << shift >> half
        middle = (b << half | c) << shift >> half
        low = (c << half | d) << shift >> half
        # right angles modulo 4, times 2**62: what is lost at either end of 64 bits is a multiple of 4, or too small
        angles = (whole * high << half) + whole * middle + (whole * low >> half)
        if rest < float32(0):
            angles = uint64(0) - angles
        quadrant += int64((angles + uint64(1 << 61)) >> uint64(62))
        fraction = int64(angles << uint64(2)) >> 1
        large = float32(fraction)
        small = float32(fraction - int64(large))
        fine = cuda.fma(large, RIGHT_ANGLE_REST, small * RIGHT_ANGLE)
        rest = cuda.fma(large, RIGHT_ANGLE, fine)
        tail = cuda.fma(large, RIGHT_ANGLE, -rest) + fine  # what rounding took from the rest
    square = rest * rest
    if quadrant & 1:
        series = cuda.fma(square, cuda.fma(square, cuda.fma(square, C10, C8), C6), C4)
        value = float32(1) + cuda.fma(square, cuda.fma(square, series, C2), -rest * tail)
    else:
        series = cuda.fma(square, cuda.fma(square, cuda.fma(square, S9, S7), S5), S3)
        value = rest + cuda.fma(rest * square, series, tail)
    return -value if quadrant & 2 else value


@cuda.jit(device=True, inline="always")
def sine(u):
    """sin u in float32, wrong by at most 1.2 ulp. ``u`` is a float32 in radians; of a float64, the nearest float32."""
    value = shifted_sine(u, 0)
    return value if abs(u) > ALMOST_LINEAR else float32(u)


@cuda.jit(device=True, inline="always")
def cosine(u):
    """cos u in float32, wrong by at most 1.2 ulp. ``u`` is a float32 in radians; of a float64, the nearest float32."""
    return shifted_sine(u, 1)


@cuda.jit(device=True, inline="always")
def tangent(u):
    """tan u in float32, wrong by at most 3 ulp. ``u`` is a float32 in radians; of a float64, the nearest float32."""
    value = shifted_sine(u, 0) / shifted_sine(u, 1)
    return value if abs(u) > ALMOST_LINEAR else float32(u)
