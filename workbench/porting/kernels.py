"""The kernels of a port: those that the examples launched, translated, and their names in Python and C++."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numba.core import types

from workbench import numba_cuda
from workbench.errors import PortError
from workbench.porting.fingerprint import fingerprint
from workbench.porting.translation import Translation, translate
from workbench.recording import Launch


@dataclass(frozen=True)
class PortedKernel:
    """A kernel and its translation.

    ``prototype`` is its module and qualified name, and ``fingerprints`` tell its source: two where float32 and float64
    have a kernel each, of the same lines.
    """

    name: str
    prototype: str
    fingerprints: tuple[str, ...]
    translation: Translation


class Kernels:
    """The kernels that were launched with float32 and with float64, translated; ``step`` is told of each.

    The first kernel that some lines made and that float32 launched goes with the first that float64 launched, and so
    on. ``missing`` names those that :meth:`name_of` was asked for besides. Raises PortError for a kernel that was
    launched with two sets of types, and for two of one name.
    """

    def __init__(self, single: list[Launch], double: list[Launch], step: Callable[[str], Any]) -> None:
        self.ported: dict[str, PortedKernel] = {}
        self.missing: dict[str, str] = {}
        self._names: dict[int, tuple[Any, str]] = {}
        narrow, wide = _by_place(single), _by_place(double)
        for place, kernels in narrow.items():
            others = wide.pop(place, [])
            if len(kernels) != len(others):
                raise PortError(
                    f"{place} made {len(kernels)} kernels for float32 and {len(others)} for float64; port wants one for"
                    " the other"
                )
            for (kernel, given), (twin, doubled) in zip(kernels, others, strict=True):
                if tuple(map(_doubled, given)) != doubled:
                    raise _two_sets(place, given, doubled)
                self._translate(place, kernel, given, twin, step)
        for place in wide:
            raise PortError(f"{place} is launched for float64 alone; port wants a kernel that float32 can have too")

    def name_of(self, kernel: Any) -> str:
        """The name of a kernel that Python names. Updates: ``missing``, if it is none of those translated."""
        if id(kernel) in self._names:
            return self._names[id(kernel)][1]
        name, place = _name(kernel), _place(kernel)
        if name in self.ported or self.missing.get(name, place) != place:
            raise _two_of_one_name(name, place)
        self.missing[name] = place
        return name

    def _translate(self, place: str, kernel: Any, given: tuple, twin: Any, step: Callable) -> None:
        name = _name(kernel)
        step(f"translate {name}")
        if name in self.ported:
            raise _two_of_one_name(name, place)
        translation = translate(kernel, given, twin)
        source = re.sub(rf"\b{translation.name}\b", name, translation.source)
        prints = tuple(dict.fromkeys((fingerprint(kernel), fingerprint(twin))))
        self.ported[name] = PortedKernel(name, place, prints, replace(translation, name=name, source=source))
        for one in (kernel, twin):
            self._names[id(one)] = one, name


def _by_place(launches: list[Launch]) -> dict[str, list[tuple[Any, tuple]]]:
    """The kernels that the same lines made, each with the types that it was launched with, in order."""
    found: dict[str, list[tuple[Any, tuple]]] = {}
    for launch in launches:
        place, given = _place(launch.kernel), tuple(map(_plain, launch.argument_types))
        known = next((types for kernel, types in found.setdefault(place, []) if kernel is launch.kernel), None)
        if known is None:
            found[place].append((launch.kernel, given))
        elif known != given:
            raise _two_sets(place, known, given)
    for place, kernels in found.items():
        if len({fingerprint(kernel) for kernel, _ in kernels}) < len(kernels):
            raise PortError(
                f"{place} is made anew at each call; make the kernel once, at the top of the module or in a dict there"
            )
    return found


def _name(kernel: Any) -> str:
    """The function's name, and after it those of device functions that were handed to what made it."""
    function = numba_cuda.python_function(kernel)
    handed = []
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if numba_cuda.is_kernel(cell.cell_contents):
            name = numba_cuda.python_function(cell.cell_contents).__name__
            handed += [name] * (name != variable)
    return "_".join([function.__name__, *handed])


def _place(kernel: Any) -> str:
    function = numba_cuda.python_function(kernel)
    return f"{function.__module__}:{function.__qualname__}"


def _plain(one: Any) -> Any:
    """An argument's type, whatever the layout of its memory."""
    return types.Array(one.dtype, one.ndim, "A") if isinstance(one, types.Array) else one


def _doubled(one: Any) -> Any:
    """The type that a float32 array or number has where the inputs are float64."""
    if isinstance(one, types.Array) and one.dtype == types.float32:
        return types.Array(types.float64, one.ndim, "A")
    return types.float64 if one == types.float32 else one


def _two_sets(place: str, one: tuple, other: tuple) -> PortError:
    first, second = (", ".join(map(str, given)) for given in (one, other))
    return PortError(
        f"{place} was launched with arguments ({first}) and ({second}); a C++ operator has one set of them, so make it "
        "two kernels"
    )


def _two_of_one_name(name: str, place: str) -> PortError:
    return PortError(f"{place} and another kernel would both be {name} in C++; rename one of them")
