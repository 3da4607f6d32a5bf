"""What made a value a float64, and what to write instead, in words."""

from __future__ import annotations

from typing import Any

from workbench.inspection.expressions import Expressions, is_inplace, quoted, shortened
from workbench.numba_cuda_compile import Step, TypedFunction


def describe(typed: TypedFunction, step: Step, expressions: Expressions) -> tuple[str, str, str, bool] | None:
    """The expression that is a float64, why, the fix, and whether the author asked for it by name.

    ``step`` makes a float64 of operands that are none. None for a step that only names a function.
    """
    kind = typed.types.get(step.target)
    if step.kind == "constant":
        return _constant(typed, step, expressions)
    if step.kind == "outside":
        return _outside(step, kind)
    if step.kind == "argument":
        return _argument(step, kind)
    if step.kind == "operator":
        return _operator(typed, step, expressions)
    if step.kind == "call":
        return _call(typed, step, expressions)
    if step.kind == "copy":
        return _copy(typed, step, expressions)
    text = expressions.of_step(step)
    return text, f"{text} is a {kind}", f"write float32({text})", False


def _constant(typed: TypedFunction, step: Step, expressions: Expressions) -> tuple[str, str, str, bool]:
    text = quoted(step.what)
    for use in typed.steps:
        if use.kind == "operator" and use.what in ("**", "**=") and use.operands[1:] == (step.target,):
            return text, f"{text} is a float64, and so is a power of it", _power(use, step.what, expressions), False
    fix = f"float32({text})"
    if not step.target.startswith("$"):
        fix = f"{step.target.split('.')[0]} = {fix}"
    return text, f"{text} is a float64, as every Python float", f"write {fix}", False


def _power(use: Step, exponent: float, expressions: Expressions) -> str:
    base = expressions.of(use.operands[0])
    if exponent == 0.5:
        return f"write math.sqrt({base})"
    if float(exponent).is_integer():
        return f"write {base} ** {int(exponent)}, which multiplies"
    return f"write {base} ** float32({exponent!r})"


def _outside(step: Step, kind: Any) -> tuple[str, str, str, bool] | None:
    name, value = step.what
    if hasattr(value, "dtype") and getattr(value, "ndim", 0):
        return name, f"{name} is a float64 array from outside", f"make it {name}.astype(np.float32)", False
    if isinstance(value, tuple):
        return (
            name,
            f"{name} is {value!r} from outside the kernel",
            f"write float32({name}[...]) where it is used",
            False,
        )
    if not isinstance(value, (float, complex)):
        return None
    number = quoted(float(value)) if isinstance(value, float) else repr(value)
    fix = f"write float32({name}), or make it np.float32({number}) outside"
    return name, f"{name} is {number} from outside the kernel, a {kind}", fix, False


def _argument(step: Step, kind: Any) -> tuple[str, str, str, bool]:
    if hasattr(kind, "ndim"):
        return step.what, f"{step.what} is an array of {kind.dtype}", "", True
    return (
        step.what,
        f"the argument {step.what} is a float64, as every Python float",
        f"pass np.float32({step.what}), or cast it in the kernel: float32({step.what})",
        False,
    )


def _operator(typed: TypedFunction, step: Step, expressions: Expressions) -> tuple[str, str, str, bool]:
    text = expressions.of_step(step)
    kinds = [_shown(typed.types.get(operand)) for operand in step.operands]
    sign = step.what.removesuffix("=") if is_inplace(step) else step.what
    casts = [_cast(expressions.of(operand), kind) for operand, kind in zip(step.operands, kinds, strict=True)]
    if len(casts) == 1:
        return text, f"{sign} of {kinds[0]} is a float64", f"write {sign}{casts[0]}", False
    if "float64" in kinds:  # it would stay one, were that operand a float32
        kinds = ["float32" if kind == "float64" else kind for kind in kinds]
    verb = "is a" if _sets_float64(typed, step) else "compares in"
    fix = shortened(f"({casts[0]}) {sign} ({casts[1]})")
    return text, f"{kinds[0]} {sign} {kinds[1]} {verb} float64", f"write {fix}", False


def _cast(text: str, kind: str) -> str:
    """The expression as a float32."""
    return text if "float" in kind else f"float32({text})"


def _sets_float64(typed: TypedFunction, step: Step) -> bool:
    return str(typed.types.get(step.target)) == "float64"


def _call(typed: TypedFunction, step: Step, expressions: Expressions) -> tuple[str, str, str, bool]:
    from numba.core import types

    text, function = expressions.of_step(step), typed.types.get(step.what)
    name = expressions.of(step.what)
    if isinstance(function, types.NumberClass):
        return text, f"{text} asks for a float64", "", True
    if hasattr(typed.types.get(step.target), "ndim"):
        return text, "an array of float64 elements, as declared", "", True
    inner = ", ".join(map(expressions.of, step.operands))
    if name == "float":
        return text, "float(...) is Python's float, a float64", f"write float32({inner})", False
    kinds = ", ".join(_shown(typed.types.get(operand)) for operand in step.operands)
    cast = ", ".join(_cast(expressions.of(o), _shown(typed.types.get(o))) for o in step.operands)
    verb = "is a" if _sets_float64(typed, step) else "computes in"
    return text, f"{name} of {kinds} {verb} float64", f"write {name}({cast})", False


def _copy(typed: TypedFunction, step: Step, expressions: Expressions) -> tuple[str, str, str, bool]:
    """A variable that holds numbers of several types becomes what all of them fit into."""
    name = step.target.split(".")[0]
    kinds = dict.fromkeys(
        _shown(typed.types.get(other.operands[0]))
        for other in typed.steps
        if other.kind == "copy" and other.target == step.target
    )
    reason = f"{name} is {' on one path and '.join(kinds)} on another, and float64 is what holds both"
    return name, reason, f"give {name} one type on every path: {name} = float32(...)", False


def _shown(kind: Any) -> str:
    from numba.core import types

    return str(types.unliteral(kind)) if isinstance(kind, types.Type) else str(kind)
