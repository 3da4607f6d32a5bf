"""The shapes and dtypes that tests try, and why each."""

import torch

SIZES = {
    0: "no element: every thread must stay out",
    1: "one element: one thread works, the others stay out",
    31: "one short of a warp",
    32: "a warp",
    33: "one past a warp",
    255: "one short of a block of 256",
    256: "a block of 256",
    257: "one past a block of 256",
    1025: "one past several blocks, of 128 and of 256",
}

SHAPES = {
    **{(n,): why for n, why in SIZES.items()},
    (): "no dimension: one element, and nothing to index by",
    (7, 5): "two dimensions, of odd sizes",
    (3, 0): "no element in two dimensions",
    (3, 4, 5): "three dimensions, each of another size",
}

DTYPES = {
    torch.bool: "one byte, of which one bit counts",
    torch.uint8: "unsigned",
    torch.int8: "the smallest signed integer",
    torch.int16: "smaller than the int of C",
    torch.int32: "Numba widens its arithmetic to int64",
    torch.int64: "Python's integers, class targets",
    torch.float32: "what losses are computed in",
    torch.float64: "what audits compute in",
    torch.complex64: "two float32",
    torch.complex128: "two float64",
}

FLOATS = (torch.float32, torch.float64)
