"""float16 on Numba's CPU target, which knows its name and nothing else of it.

A float16 is held as its 16 bits. Arithmetic is done in float32 and rounded to float16, to the nearest and of two the
even one, which makes ``+ - * /`` exactly rounded. Result types are numba-cuda's: a float16 and a float16, int8 or bool
make a float16; with any other number a float16 is a float32. A float16 becomes an integer by rounding to the nearest.

Importing this extends the CPU target where it raised before, and leaves the rest of it as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import boxing, types
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin, lower_cast, lower_constant
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import NativeValue, register_model

from workbench import numba_cuda

HALF, FLOAT = ir.IntType(16), ir.FloatType()
SIGN, INFINITY, NAN = 0x8000, 0x7C00, 0x7FFF
LEAST_NORMAL_EXPONENT = -14

CONVERTED = (types.float16, types.int8, types.boolean)
"""What numba-cuda converts to float16 when it meets one."""


@register_model(types.Float)
class FloatModel(models.FloatModel):
    """Numba's own, and 16 bits for a float16."""

    def __init__(self, manager: Any, kind: types.Type) -> None:
        if kind == types.float16:
            models.PrimitiveModel.__init__(self, manager, kind, HALF)
        else:
            super().__init__(manager, kind)


# -- conversions, in integer arithmetic: no fast-math option reaches it, and no processor or C library can lack it


def _rounded(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The float16 that is closest to a float32 or a float64."""
    kind, bias, digits = (ir.IntType(32), 127, 23) if value.type == FLOAT else (ir.IntType(64), 1023, 52)
    constant = kind
    infinity = (2 * bias + 1) << digits
    least = constant(bias + LEAST_NORMAL_EXPONENT)

    pattern = builder.bitcast(value, kind)
    size = builder.and_(pattern, constant((1 << (kind.width - 1)) - 1))
    sign = builder.and_(builder.lshr(pattern, constant(kind.width - 16)), constant(SIGN))
    exponent = builder.lshr(size, constant(digits))
    mantissa = builder.or_(builder.and_(size, constant((1 << digits) - 1)), constant(1 << digits))
    # a subnormal loses more digits the smaller it is, until none is left
    subnormal = builder.icmp_unsigned("<", exponent, least)
    lost = builder.select(subnormal, builder.sub(least, exponent), constant(0))
    lost = builder.select(builder.icmp_unsigned("<", lost, constant(12)), lost, constant(12))
    lost = builder.add(lost, constant(digits - 10))
    odd = builder.and_(builder.lshr(mantissa, lost), constant(1))
    below_half = builder.sub(builder.shl(constant(1), builder.sub(lost, constant(1))), constant(1))
    kept = builder.lshr(builder.add(builder.add(mantissa, below_half), odd), lost)
    # the mantissa's leading digit counts as one in the exponent, and a carry out of it as another
    result = builder.add(kept, builder.shl(builder.sub(exponent, least), constant(10)))
    result = builder.select(subnormal, kept, result)
    result = builder.select(builder.icmp_unsigned(">", result, constant(INFINITY)), constant(INFINITY), result)
    result = builder.select(builder.icmp_unsigned(">", size, constant(infinity)), constant(NAN), result)
    return builder.trunc(builder.or_(result, sign), HALF)


def _widened(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A float16 as a float32."""
    constant = ir.IntType(32)
    pattern = builder.zext(value, constant)
    size = builder.and_(pattern, constant(SIGN - 1))
    sign = builder.shl(builder.and_(pattern, constant(SIGN)), constant(16))
    normal = builder.add(builder.shl(size, constant(13)), constant((127 - 15) << 23))
    infinite = builder.add(normal, constant((255 - 31 - (127 - 15)) << 23))
    subnormal = builder.fmul(builder.uitofp(size, FLOAT), ir.Constant(FLOAT, 2.0**-24))
    subnormal = builder.bitcast(subnormal, constant)
    result = builder.select(builder.icmp_unsigned("<", size, constant(INFINITY)), normal, infinite)
    result = builder.select(builder.icmp_unsigned("<", size, constant(1 << 10)), subnormal, result)
    return builder.bitcast(builder.or_(result, sign), FLOAT)


@lower_cast(types.float16, types.Float)
def _to_float(context, builder, source, target, value):
    return context.cast(builder, _widened(builder, value), types.float32, target)


@lower_cast(types.Float, types.float16)
def _from_float(context, builder, source, target, value):
    return _rounded(builder, value)


@lower_cast(types.Integer, types.float16)
@lower_cast(types.IntegerLiteral, types.float16)
def _from_integer(context, builder, source, target, value):
    # exact in float64 wherever it fits into a float16
    return _rounded(builder, context.cast(builder, value, source, types.float64))


@lower_cast(types.float16, types.Integer)
def _to_integer(context, builder, source, target, value):
    """To the nearest; beyond the last integer, the last one; NaN is zero."""
    wide, kind = _widened(builder, value), context.get_value_type(target)
    nearest = builder.module.declare_intrinsic("llvm.rint", [FLOAT])
    name = "llvm.fptosi.sat" if target.signed else "llvm.fptoui.sat"
    function = builder.module.declare_intrinsic(name, [kind, FLOAT], ir.FunctionType(kind, [FLOAT]))
    return builder.call(function, [builder.call(nearest, [wide])])


@lower_builtin(bool, types.float16)
def _is_true(context, builder, signature_, arguments):
    return builder.icmp_unsigned("!=", builder.and_(arguments[0], HALF(SIGN - 1)), HALF(0))


@lower_constant(types.float16)
def _constant(context, builder, kind, value):
    return HALF(int(np.float16(value).view(np.uint16)))


# Numba's own look at the class alone, types.Float, and know two of it
def _from_python(kind, value, c):
    if kind != types.float16:
        return boxing.unbox_float(kind, value, c)
    wide = boxing.unbox_float(types.float64, value, c)
    return NativeValue(_rounded(c.builder, wide.value), is_error=wide.is_error)


def _to_python(kind, value, c):
    if kind != types.float16:
        return boxing.box_float(kind, value, c)
    return boxing.box_float(types.float32, _widened(c.builder, value), c)


numba_cuda.convert_objects(types.Float, _from_python, _to_python)


# -- operators


def _operator(operation: Any, count: int, result: types.Type, generate: Callable) -> None:
    """An operator of one or two float16, found before those of float32, which a float16 could become."""

    @infer_global(operation)
    class Template(AbstractTemplate):
        def generic(self, given, named):
            if len(given) == count and types.float16 in given and all(kind in CONVERTED for kind in given):
                return signature(result, *[types.float16] * count)

    Template.metadata = {"target": "cpu"}
    lower_builtin(operation, *[types.float16] * count)(generate)


def _in_float32(operation: Any) -> Callable:
    def generate(context, builder, signature_, arguments):
        kind = types.float32 if signature_.return_type == types.float16 else signature_.return_type
        wide = signature(kind, types.float32, types.float32)
        function = context.get_function(operation, wide)
        result = function(builder, [_widened(builder, value) for value in arguments])
        return _rounded(builder, result) if kind == types.float32 else result

    return generate


def _negative(context, builder, signature_, arguments):
    return builder.xor(arguments[0], HALF(SIGN))


def _absolute(context, builder, signature_, arguments):
    return builder.and_(arguments[0], HALF(SIGN - 1))


def _itself(context, builder, signature_, arguments):
    return arguments[0]


for _name in ("add", "sub", "mul", "truediv"):
    for _written in (_name, f"i{_name}"):
        _operator(getattr(operator, _written), 2, types.float16, _in_float32(getattr(operator, _name)))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _operator(getattr(operator, _name), 2, types.boolean, _in_float32(getattr(operator, _name)))
for _operation, _generate in ((operator.neg, _negative), (operator.pos, _itself), (abs, _absolute), (float, _itself)):
    _operator(_operation, 1, types.float16, _generate)
