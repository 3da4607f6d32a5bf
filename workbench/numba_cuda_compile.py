"""The part of the seam to Numba that compiles: a kernel's PTX and its inferred types, with no GPU and no driver."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from workbench import numba_cuda


class Step(NamedTuple):
    """One step of a function as Numba typed it: it sets ``target`` (None where it sets nothing) from ``operands``.

    ``kind`` is "constant", "outside" (a global or closure name), "argument", "copy", "call", "operator", "item",
    "attribute", "store", "return" or "other". ``what`` is the constant, the name and value of the outside name, the
    name of the argument, the operator's sign, the variable of the called object, a constant index, the attribute's
    name, or Numba's word for another step; ``signature`` the types that a call or an operator was resolved to;
    ``callee`` the TypedFunction of a called device function.
    """

    line: int
    target: str | None
    kind: str
    what: Any
    operands: tuple[str, ...]
    signature: Any = None
    callee: TypedFunction | None = None


class TypedFunction(NamedTuple):
    """A kernel or device function with inferred types: ``types`` has one for each variable that a step names."""

    function: Callable
    parameters: tuple[str, ...]
    types: dict[str, Any]
    steps: list[Step]
    result: Any


class Compilation(NamedTuple):
    """A kernel's PTX with its source lines, by compute capability, and the kernel as typed."""

    ptx: dict[tuple[int, int], str]
    typed: TypedFunction


def compile_kernel(kernel: Any, argument_types: tuple, capabilities: Sequence[tuple[int, int]]) -> Compilation:
    """Compile a ``cuda.jit`` kernel for compute capabilities such as ``(9, 0)``, with no GPU and no driver.

    Types are inferred once, for the first of them: from 7.5 on, Numba makes the same of a kernel for every one, and
    what differs is NVIDIA's compiler. The kernel itself is left as it was: a later launch compiles it for its own GPU.
    Raises Numba's own errors.
    """
    from numba.core import types
    from numba.cuda import compiler
    from numba.cuda.cudadrv import nvvm

    options = kernel.targetoptions
    with device_functions_for(capabilities[0]) as compiled:
        result = _compile(kernel, types.void, argument_types, capabilities[0])
        library = result.library
        entry = library.get_function(result.fndesc.llvm_func_name)
        library._entry_name = result.fndesc.llvm_func_name
        compiler.kernel_fixup(entry, False)
        nvvm.set_launch_bounds(entry, options.get("launch_bounds"))
        ptx = {capability: "\n".join(library.get_asm_strs(cc=capability)) for capability in capabilities}
        typed = _typed(numba_cuda.python_function(kernel), result, compiled, {})
    return Compilation(ptx, typed)


def _compile(dispatcher: Any, return_type: Any, argument_types: tuple, capability: tuple[int, int]) -> Any:
    from numba.cuda import compiler

    options = dispatcher.targetoptions
    fastmath = bool(options.get("fastmath"))
    return compiler.compile_cuda(
        dispatcher.py_func,
        return_type,
        argument_types,
        lineinfo=True,
        forceinline=bool(options.get("forceinline")),
        inline=options.get("inline", "never"),
        fastmath=fastmath,
        nvvm_options={"opt": 3 if options.get("opt", True) else 0, "fastmath": fastmath},
        cc=capability,
        max_registers=options.get("max_registers"),
    )


@contextlib.contextmanager
def device_functions_for(capability: tuple[int, int]) -> Iterator[dict[tuple, Any]]:
    """Within this, device functions are compiled for ``capability``; gives what was compiled, and forgets it after.

    Numba asks the driver for the capability, and would keep the result for later launches on whichever GPU.
    """
    from numba.cuda.dispatcher import CUDADispatcher

    before: dict[int, tuple[Any, dict]] = {}
    compiled: dict[tuple, Any] = {}

    def compile_device(self: Any, args: tuple, return_type: Any = None) -> Any:
        if id(self) not in before:
            before[id(self)] = (self, dict(self.overloads))
            self.overloads.clear()
        if args not in self.overloads:
            with self._compiling_counter:
                result = _compile(self, return_type, args, capability)
            self.overloads[args] = compiled[id(self), args] = result
            result.target_context.insert_user_function(result.entry_point, result.fndesc, [result.library])
        return self.overloads[args]

    own = CUDADispatcher.compile_device
    CUDADispatcher.compile_device = compile_device
    try:
        yield compiled
    finally:
        CUDADispatcher.compile_device = own
        for dispatcher, overloads in before.values():
            dispatcher.overloads.clear()
            dispatcher.overloads.update(overloads)
        for result in compiled.values():
            result.target_context.remove_user_function(result.entry_point)


def _typed(function: Callable, result: Any, compiled: dict[tuple, Any], known: dict[int, TypedFunction]) -> Any:
    """The TypedFunction of a compile result; ``known`` has those of device functions that were met before."""
    annotation = result.type_annotation
    types = dict(annotation.typemap)
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    typed = known[id(result)] = TypedFunction(function, parameters, types, [], result.signature.return_type)
    for _, block in sorted(annotation.blocks.items()):
        for statement in block.body:
            step = _step(statement, annotation.calltypes)
            if step is not None:
                if step.kind == "call" and hasattr(types[step.what], "dispatcher"):
                    step = step._replace(callee=_callee(types[step.what].dispatcher, step, compiled, known))
                typed.steps.append(step)
    return typed


def _callee(
    dispatcher: Any, step: Step, compiled: dict[tuple, Any], known: dict[int, TypedFunction]
) -> TypedFunction | None:
    result = compiled.get((id(dispatcher), tuple(step.signature.args)))
    if result is None:
        return None
    return known.get(id(result)) or _typed(dispatcher.py_func, result, compiled, known)


def _step(statement: Any, call_types: dict) -> Step | None:
    from numba.cuda.core import ir

    line = statement.loc.line
    if isinstance(statement, ir.Del):
        return None
    if isinstance(statement, ir.Assign):
        target, value = statement.target.name, statement.value
        if isinstance(value, ir.Const):
            return Step(line, target, "constant", value.value, ())
        if isinstance(value, (ir.Global, ir.FreeVar)):
            return Step(line, target, "outside", (value.name, value.value), ())
        if isinstance(value, ir.Arg):
            return Step(line, target, "argument", value.name, ())
        if isinstance(value, ir.Var):
            return Step(line, target, "copy", None, (value.name,))
        if isinstance(value, ir.Expr):
            return _expression(line, target, value, call_types)
        return Step(line, target, "other", None, ())
    operands = tuple(v.name for v in statement.list_vars())
    if isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
        return Step(line, None, "store", None, operands, call_types.get(statement))
    if isinstance(statement, ir.Return):
        return Step(line, None, "return", None, operands)
    return Step(line, None, "other", None, operands)


def _expression(line: int, target: str, value: Any, call_types: dict) -> Step:
    operands = tuple(v.name for v in value.list_vars())
    signature = call_types.get(value)
    if value.op == "call":
        return Step(line, target, "call", value.func.name, operands[1:], signature)
    if value.op in ("binop", "inplace_binop", "unary"):
        from numba.core.utils import OPERATORS_TO_BUILTINS

        function = value.immutable_fn if value.op == "inplace_binop" else value.fn
        return Step(line, target, "operator", OPERATORS_TO_BUILTINS.get(function, str(function)), operands, signature)
    if value.op == "getitem":
        return Step(line, target, "item", None, operands, signature)
    if value.op == "static_getitem":
        return Step(line, target, "item", value.index, operands[:1], signature)
    if value.op == "getattr":
        return Step(line, target, "attribute", value.attr, operands)
    if value.op in ("cast", "phi"):
        return Step(line, target, "copy", None, operands)
    return Step(line, target, "other", value.op, operands, signature)
