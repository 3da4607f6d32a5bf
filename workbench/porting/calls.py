"""Calls: CUDA's operations, mathematics, conversions, and device functions."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from typing import Any

import numba
import numpy as np
from numba.core import types

from workbench import numba_cuda
from workbench.porting.expression import Array, Effect, Expression, Level, array_type, cast, typed
from workbench.porting.function import Device, Value
from workbench.porting.kinds import BOOL, FLOAT, HALF, INT, SCALAR_KIND, UINT32, Kind, Range, fits, kind_of, limits
from workbench.porting.values import Values

SAME_NAME = """
    exp expm1 log log1p log2 log10 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc
    lgamma floor ceil trunc pow atan2 fmod hypot copysign fabs isnan isinf isfinite exp2 cbrt nextafter
    remainder
"""

MATH = {name: name for name in SAME_NAME.split()} | {"gamma": "tgamma"}
"""Functions of Python's math and their names in C++."""

SAME_IN_LIBDEVICE = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp10 exp2 expm1 fabs fdim floor fma
    fmax fmin fmod hypot lgamma log log10 log1p log2 nextafter pow remainder rint round rsqrt sin sinh sqrt tan tanh
    tgamma trunc
"""

FAST_IN_LIBDEVICE = """
    cos exp exp10 fdivide log log10 log2 pow sin tan
"""

LIBDEVICE = {name + f: name + f for name in SAME_IN_LIBDEVICE.split() for f in ("", "f")} | {
    f"fast_{name}f": f"__{name}f" for name in FAST_IN_LIBDEVICE.split()
}
"""Functions of numba.cuda.libdevice and their names in C++."""

REINTERPRETED = ("float_as_int", "int_as_float", "double_as_longlong", "longlong_as_double")
"""Functions of numba.cuda.libdevice that take the bits of a number for those of another type."""

ATOMICS = {
    "add": "atomicAdd",
    "sub": "atomicSub",
    "max": "atomicMax",
    "min": "atomicMin",
    "and_": "atomicAnd",
    "or_": "atomicOr",
    "xor": "atomicXor",
    "inc": "atomicInc",
    "dec": "atomicDec",
    "exch": "atomicExch",
    "cas": "atomicCAS",
}

LARGEST_HALF = 65504

BARRIERS = ("syncthreads", "syncthreads_count", "syncthreads_and", "syncthreads_or")
SHUFFLES = ("shfl_sync", "shfl_up_sync", "shfl_down_sync", "shfl_xor_sync")
VOTES = {"any_sync": BOOL, "all_sync": BOOL, "ballot_sync": INT, "match_any_sync": INT, "match_all_sync": INT}
FENCES = ("threadfence", "threadfence_block", "threadfence_system")
BITS = {"popc": "__popc", "clz": "__clz", "ffs": "__ffs", "brev": "__brev"}


class Calls(Values):
    """Expressions that call."""

    def call(self, node: ast.Call) -> Value:
        kind = self._dtype_of_array(node.func)
        if kind is not None:
            return self._converted(node, kind)
        values = self.outside(node.func)
        if values is None:
            raise self.refused(node, f"`{ast.unparse(node.func)}` is no function that is known before the kernel runs")
        operation = self.operations.get(id(values[0]))
        if operation is not None:
            return self._operation(node, operation)
        if numba_cuda.is_kernel(values[0]):
            return self._device_call(node, values)
        kind = _type_called(values)
        if kind is not None:
            return self._converted(node, kind)
        return self._function(node, values[0])

    def _dtype_of_array(self, node: ast.expr) -> Kind | None:
        """The type that ``x.dtype.type`` stands for."""
        if isinstance(node, ast.Attribute) and node.attr == "type":
            return self.dtype(node.value)
        return None

    def dtype(self, node: ast.expr) -> Kind | None:
        """The type that a dtype stands for: ``x.dtype`` of an array, or a type from outside."""
        if isinstance(node, ast.Attribute) and node.attr == "dtype" and self.outside(node.value) is None:
            return self.array(node.value).kind.element
        values = self.outside(node)
        return None if values is None else _type_called(values)

    def _arguments(self, node: ast.Call, least: int, most: int) -> list[Expression]:
        if node.keywords or not least <= len(node.args) <= most:
            raise self.refused(node, f"`{ast.unparse(node)}`: {ast.unparse(node.func)} takes {least} arguments here")
        found = [self.scalar(argument) for argument in node.args]
        self.keep_order(node, *found)
        return found

    def _converted(self, node: ast.Call, kind: Kind) -> Expression:
        (e,) = self._arguments(node, 1, 1)
        if e.constant is not None and kind.is_integer and e.kind.is_integer and fits(e.range, kind.single):
            return replace(e, kind=kind)
        if e.cpp == kind:
            return replace(e, kind=kind)
        if kind == HALF:
            return self.halved(node, e)
        if e.kind == HALF:
            if kind != FLOAT:
                raise self.refused(node, f"`{ast.unparse(node)}`: a float16 is converted with float32(...)")
            return Expression(f"__half2float({e.code})", Level.PRIMARY, FLOAT, FLOAT, effect=e.effect)
        self.cpp_name(kind)
        return typed(e, kind) if e.constant is not None else cast(e, kind)

    def halved(self, node: ast.AST, e: Expression) -> Expression:
        """A number as float16, to which Numba and C++ round a float32 alike."""
        exact = e.constant is not None and all(
            abs(value) <= LARGEST_HALF and np.float16(value) == value for value in e.constant
        )
        if e.kind not in (FLOAT, HALF) and not exact:
            said = f"`{ast.unparse(node)}` makes a float16 of {e.kind}"
            raise self.refused(node, f"{said}; convert with float32(...) first")
        if e.kind == HALF:
            return e
        # by name, since torch switches the conversions of __half off
        return Expression(f"__float2half({typed(e, FLOAT).code})", Level.PRIMARY, HALF, HALF, effect=e.effect)

    # -- CUDA

    def _operation(self, node: ast.Call, operation: str) -> Value:
        space, _, action = operation.rpartition(".")
        if operation in ("grid", "gridsize"):
            return self.grid(node, operation)
        if space == "atomic":
            return self._atomic(node, action)
        if operation in BARRIERS:
            return self._barrier(node, operation)
        if operation in SHUFFLES:
            return self._shuffle(node, operation)
        if operation == "match_all_sync":
            raise self.refused(node, "cuda.match_all_sync stands on a line of its own: `lanes, same = ...`")
        if operation in VOTES:
            return self.vote(node, operation)
        if operation == "syncwarp":
            arguments = self._arguments(node, 0, 1)
            self._waits()
            return self._nothing(f"__syncwarp({', '.join(e.code for e in arguments)})")
        if operation in FENCES:
            self.effect = Effect.WRITES
            return self._nothing(f"__{operation}()")
        if operation in BITS:
            return self._bits(node, operation)
        if operation == "activemask":
            return Expression("__activemask()", Level.PRIMARY, UINT32, UINT32, limits(types.uint32), True)
        if operation == "lanemask_lt":
            return Expression("lanemask_lt()", Level.PRIMARY, UINT32, UINT32, limits(types.uint32), True)
        if operation == "const.array_like" and len(node.args) == 1:
            return self.array(node.args[0])
        if operation in ("fma", "cbrt"):
            return self._mathematics(node, operation, operation)
        raise self.refused(node, f"cuda.{operation} is not translated")

    @staticmethod
    def _nothing(code: str) -> Expression:
        """A call that gives no value."""
        none = kind_of(types.none)
        return Expression(code, Level.PRIMARY, none, none, effect=Effect.WRITES)

    def _waits(self) -> None:
        self.whole.synchronises = True
        self.effect = Effect.WRITES

    def _barrier(self, node: ast.Call, operation: str) -> Expression:
        self._waits()
        if operation == "syncthreads":
            self._arguments(node, 0, 0)
            return self._nothing("__syncthreads()")
        (e,) = self._arguments(node, 1, 1)
        found = (0, 1024) if operation == "syncthreads_count" else (0, 1)
        return Expression(f"__{operation}({e.code})", Level.PRIMARY, INT, INT, found, True, effect=Effect.WRITES)

    def _shuffle(self, node: ast.Call, operation: str) -> Expression:
        mask, value, lane = self._arguments(node, 3, 3)
        result, _ = self.signature(node, operation, (mask.kind, value.kind, lane.kind))
        self._meets()
        code = f"__{operation}({mask.code}, {typed(value, result).code}, {lane.code})"
        # a value of any lane, and each has the range
        effect = max(Effect.MEETS, mask.effect, value.effect, lane.effect)
        return Expression(code, Level.PRIMARY, result, result, value.range, value.natural, effect=effect)

    def _meets(self) -> None:
        self.whole.synchronises = True
        self.effect = max(self.effect, Effect.MEETS)

    def vote(self, node: ast.Call, operation: str, more: str = "") -> Expression:
        """A vote of a warp; ``more`` is what C++ takes besides."""
        mask, test = self._arguments(node, 2, 2)
        self._meets()
        effect = max(Effect.MEETS, mask.effect, test.effect)
        code = f"__{operation}({mask.code}, {test.code}{more})"
        if VOTES[operation] == BOOL:
            return Expression(code, Level.PRIMARY, BOOL, INT, (0, 1), True, effect=effect)
        return Expression(f"int({code})", Level.PRIMARY, INT, INT, limits(types.int32), effect=effect)

    def _bits(self, node: ast.Call, operation: str) -> Expression:
        (e,) = self._arguments(node, 1, 1)
        result, (wanted,) = self.signature(node, operation, (e.kind,))
        wide = wanted.single.bitwidth == 64
        name = BITS[operation] + ("ll" if wide else "")
        found = limits(result.single) if operation == "brev" else (0, 64)
        cpp = INT if operation != "brev" else result
        return Expression(
            f"{name}({typed(e, wanted).code})", Level.PRIMARY, result, cpp, found, found[0] >= 0, effect=e.effect
        )

    def _atomic(self, node: ast.Call, action: str) -> Expression:
        if action == "compare_and_swap" and len(node.args) == 3:
            node.args.insert(1, ast.copy_location(ast.Constant(0), node))
            action = "cas"
        if action not in ATOMICS or node.keywords or len(node.args) != (4 if action == "cas" else 3):
            raise self.refused(node, f"`{ast.unparse(node)}` is not translated")
        target = self.at(node, self.array(node.args[0]), node.args[1])
        if not isinstance(target, Expression):
            raise self.refused(node, "an atomic operation takes an index for each dimension")
        values = [self.scalar(value) for value in node.args[2:]]
        self.keep_order(node, *values)
        element = target.kind
        width = element.single.bitwidth
        if width < 32 or (action in ("inc", "dec") and element != UINT32):
            raise self.refused(node, f"CUDA has no atomic {action} of {element}")
        self.effect = Effect.WRITES
        code = f"{ATOMICS[action]}(&{target.code}, {', '.join(typed_for(value, element) for value in values)})"
        return Expression(code, Level.PRIMARY, element, element, target.range, target.natural, effect=Effect.WRITES)

    # -- functions of numbers

    def _function(self, node: ast.Call, function: Any) -> Expression:
        name = getattr(function, "__name__", None)
        if function in (builtins.min, builtins.max):
            return self._extreme(node, function)
        if function is builtins.abs:
            return self._absolute(node)
        if function in (builtins.int, builtins.float, builtins.bool):
            (e,) = self._arguments(node, 1, 1)
            if function is builtins.bool and e.kind != HALF:
                code = f"{e.at(Level.EQUALITY + 1)} != 0"
                return Expression(code, Level.EQUALITY, BOOL, BOOL, (0, 1), True, effect=e.effect)
            result, _ = self.signature(node, function, (e.kind,))
            return e if e.cpp == result else replace(cast(e, result), natural=e.natural)
        if function is builtins.len:
            return self.extent(self.array(node.args[0]), 0)
        if function is builtins.round and len(node.args) == 1:
            (e,) = self._arguments(node, 1, 1)
            result, _ = self.signature(node, function, (e.kind,))
            return cast(replace(e, code=f"rint({e.code})"), result)
        if function is builtins.pow and len(node.args) == 2:
            return self.operation(node, ast.Pow(), *self._arguments(node, 2, 2))
        if getattr(function, "__module__", None) == "math" and name in MATH:
            return self._mathematics(node, function, MATH[name])
        if getattr(function, "__module__", None) == "numba.cuda.libdevice":
            if name in LIBDEVICE:
                return self._mathematics(node, function, LIBDEVICE[name])
            if name in REINTERPRETED:
                return self._reinterpreted(node, function)
        raise self.refused(node, f"`{ast.unparse(node.func)}` is not translated")

    def _mathematics(self, node: ast.Call, called: Any, name: str) -> Expression:
        arguments = self._arguments(node, 1, 3)
        result, wanted = self.signature(node, called, tuple(e.kind for e in arguments))
        effect = max(e.effect for e in arguments)
        if result.is_float:  # C++ takes the function of the type that it is given, and nvcc none of integers
            wanted = (result,) * len(arguments)
        elif not wanted[0].is_float:
            wanted = (kind_of(types.float64),)
        for kind in wanted:
            self.cpp_name(kind)
        code = f"{name}({', '.join(typed(e, kind).code for e, kind in zip(arguments, wanted, strict=True))})"
        found = (0, 1) if result == BOOL else None
        return Expression(code, Level.PRIMARY, result, result, found, result == BOOL, effect=effect)

    def _reinterpreted(self, node: ast.Call, function: Any) -> Expression:
        (e,) = self._arguments(node, 1, 1)
        result, (wanted,) = self.signature(node, function, (e.kind,))
        code = f"__{function.__name__}({typed(e, wanted).code})"
        found = limits(result.single) if result.is_integer else None
        return Expression(code, Level.PRIMARY, result, result, found, effect=e.effect)

    def _extreme(self, node: ast.Call, function: Any) -> Expression:
        if len(node.args) < 2:
            raise self.refused(node, f"{function.__name__} takes two numbers or more here")
        arguments = self._arguments(node, 2, len(node.args))
        result, _ = self.signature(node, function, tuple(e.kind for e in arguments))
        name = function.__name__
        if result.is_float:
            name = f"f{name}"
            self.cpp_name(result)
        found = None
        if result.is_integer:
            lows, highs = zip(*(e.range for e in arguments), strict=True)
            found = (function(lows), function(highs))
        naturals = [e.natural for e in arguments]
        natural = result.is_integer and (any(naturals) if function is max else all(naturals))
        code = typed(arguments[0], result).code
        for e in arguments[1:]:
            code = f"{name}({code}, {typed(e, result).code})"
        effect = max(e.effect for e in arguments)
        return Expression(code, Level.PRIMARY, result, result, found, natural, effect=effect)

    def _absolute(self, node: ast.Call) -> Expression:
        (e,) = self._arguments(node, 1, 1)
        result, _ = self.signature(node, builtins.abs, (e.kind,))
        if result.is_integer and limits(result.single)[0] == 0:  # C++ has no abs of what has no sign
            return typed(e, result)
        name = "fabs" if result.is_float else "abs"
        found: Range | None = None
        if result.is_integer:
            low, high = e.range
            found = (0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
            found = found if fits(found, result.single) else limits(result.single)
        return Expression(
            f"{name}({typed(e, result).code})", Level.PRIMARY, result, result, found, result.is_integer, effect=e.effect
        )

    # -- device functions

    def _device_call(self, node: ast.Call, kernels: tuple[Any, Any]) -> Expression:
        if node.keywords:
            raise self.refused(node, f"`{ast.unparse(node)}`: hand arguments over by position")
        given = [self.value(argument) for argument in node.args]
        if any(isinstance(one, tuple) for one in given):
            raise self.refused(node, f"`{ast.unparse(node)}` hands a tuple over; hand its parts over")
        self.keep_order(node, *(one for one in given if isinstance(one, Expression)))
        device: Device = self.device(node, kernels, tuple(one.kind for one in given))
        explicit = device.templated and not self._is_deduced(device, given)
        arguments = []
        for one, parameter in zip(given, device.parameters, strict=True):
            if isinstance(one, Array):
                arguments.append(one.code)
            elif parameter == SCALAR_KIND and not explicit:
                arguments.append(typed(one, parameter).code)
            else:
                arguments.append(one.into(parameter))
        if device.templated:
            self.follows = True
        name = f"{device.name}<scalar_t>" if explicit else device.name
        effect = max([device.effect, *(one.effect for one in given if isinstance(one, Expression))])
        self.effect = max(self.effect, effect)
        code = f"{name}({', '.join(arguments)})"
        if device.result.single == types.none:
            return replace(self._nothing(code), effect=effect)
        found = limits(device.result.single) if device.result.is_integer else None
        return Expression(
            code, Level.PRIMARY, device.result, device.result, found, found is not None and found[0] >= 0, effect=effect
        )

    @staticmethod
    def _is_deduced(device: Device, given: list[Value]) -> bool:
        """Whether C++ finds out by itself what ``scalar_t`` is in a call."""
        following = False
        for one, parameter in zip(given, device.parameters, strict=True):
            if isinstance(parameter, Array):
                if not parameter.kind.element.follows:
                    continue
                if one.dims is not None or one.type_name != array_type(parameter.kind, parameter.writable):
                    return False
                following = True
            else:
                following = following or parameter == SCALAR_KIND
        return following

    def device(self, node: ast.AST, kernels: tuple[Any, Any], arguments: tuple[Kind, ...]) -> Device:
        """The translation of a device function for arguments of these types."""
        raise NotImplementedError


def typed_for(e: Expression, element: Kind) -> str:
    """A value that a function template with the type of a pointer's target converts by itself, if it is a constant."""
    return e.into(element) if e.constant is not None or e.cpp == element else typed(e, element).code


def _type_called(values: tuple[Any, Any]) -> Kind | None:
    """The type that a value from outside is, such as ``float32`` or ``numpy.int64``; None for anything else."""
    found = []
    for value in values:
        if isinstance(value, np.dtype):
            value = value.type
        if isinstance(value, type) and issubclass(value, np.generic):
            value = numba.from_dtype(np.dtype(value))
        value = numba_cuda.as_numba(value)
        if not isinstance(value, (types.Number, types.Boolean)):
            return None
        found.append(value)
    return Kind(*found)
