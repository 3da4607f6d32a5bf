"""The part of the seam to Numba that infers: the types of a kernel's values and calls, with no GPU and no driver."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

CAPABILITY = (9, 0)
"""The compute capability that types are inferred for; they do not depend on it."""


class Inferred(NamedTuple):
    """What Numba infers of a function on the CUDA target: each variable's types, and the type that it returns."""

    variables: dict[str, set]
    result: Any


def inferred_on_cuda(function: Callable, argument_types: tuple) -> Inferred:
    """The types of a kernel or device function that is called with these types. Raises Numba's own errors.

    A variable has as many types as it has versions in static single assignment form that differ. No driver is needed,
    within ``numba_cuda_compile.device_functions_for(CAPABILITY)``.
    """
    from numba.core import types
    from numba.core.target_extension import target_override
    from numba.cuda import compiler
    from numba.cuda.descriptor import cuda_target

    flags = compiler.CUDAFlags()
    flags.error_model = "numpy"
    flags.compute_capability = CAPABILITY
    context = cuda_target.typing_context, cuda_target.target_context
    pipeline, until_inferred = _until_inference()
    with target_override("cuda"):
        try:
            compiler.compile_extra(*context, function, argument_types, None, flags, {}, pipeline_class=pipeline)
        except until_inferred as stopped:
            typemap, result = stopped.args
    variables: dict[str, set] = {}
    for variable, kind in typemap.items():
        if not variable.startswith(("$", "arg.")):
            variables.setdefault(variable.split(".")[0], set()).add(types.unliteral(kind))
    return Inferred(variables, types.unliteral(result))


@functools.cache
def _until_inference() -> tuple[type, type]:
    """A compiler for the CUDA target that raises an exception with the types instead of lowering, and that exception.

    Lowering would take most of the time.
    """
    from numba.cuda import compiler

    class Inferred(Exception):
        """Has the type of each variable, and the type that is returned."""

    @compiler.register_pass(mutates_CFG=False, analysis_only=True)
    class Stop(compiler.LoweringPass):
        _name = "stop_after_inference_on_cuda"

        def __init__(self) -> None:
            compiler.LoweringPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            raise Inferred(state.typemap, state.return_type)

    class UntilInference(compiler.CUDACompiler):
        def define_cuda_lowering_pipeline(self, state: Any) -> Any:
            return SimpleNamespace(passes=[(Stop, "stop after inference")])

    return UntilInference, Inferred


def signature_on_cuda(called: Any, argument_types: tuple) -> Any:
    """The signature that a call in a kernel has: its ``return_type``, and the ``args`` that it converts to.

    ``called`` is a Python function, an operator, or the dotted name of an operation below ``numba.cuda``. None if
    Numba has no such call.
    """
    try:
        return _signature_on_cuda(called, argument_types)
    except TypeError:  # a function that cannot be hashed
        return None


def unified_on_cuda(one: Any, other: Any) -> Any:
    """The type of a value in a kernel that is of one type or the other, or None if they have none in common."""
    from numba.cuda.descriptor import cuda_target

    return cuda_target.typing_context.unify_types(one, other)


@functools.cache
def _signature_on_cuda(called: Any, argument_types: tuple) -> Any:
    from numba import cuda
    from numba.core.errors import NumbaError
    from numba.core.target_extension import target_override
    from numba.cuda.descriptor import cuda_target

    context = cuda_target.typing_context
    with target_override("cuda"):
        context.refresh()
        try:
            if not isinstance(called, str):
                return context.resolve_function_type(called, argument_types, {})
            kind = context.resolve_value_type(cuda)
            for part in called.split("."):
                kind = context.resolve_getattr(kind, part)
            return kind.get_call_type(context, argument_types, {})
        except NumbaError:
            return None
