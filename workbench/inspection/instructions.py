"""What the instructions of a kernel do: how many of each kind, how wide its memory accesses are, its slow paths."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.inspection.float64 import REDUCTION
from workbench.inspection.ptx import Instruction, Place, width

SPECIAL = ("ex2", "lg2", "sin", "cos", "rsqrt", "tanh")


def kind(one: Instruction) -> str:
    """The kind of an instruction, such as "float32", "global load" or "branch"."""
    name, *parts = one.opcode.split(".")
    if name in ("ld", "ldu", "st"):
        space = next((p for p in parts if p in ("global", "shared", "local", "param", "const")), "generic")
        return "move" if space in ("param", "const") else f"{space} {'store' if name == 'st' else 'load'}"
    if name in ("atom", "red"):
        return "atomic"
    if name in ("shfl", "vote", "match", "activemask", "redux"):
        return "shuffle or vote"
    if name in ("bar", "barrier", "membar", "fence"):
        return "barrier or fence"
    if name in ("bra", "ret", "call", "exit", "trap", "brx"):
        return "branch or call"
    if name == "cvt":
        return "conversion"
    if name in ("mov", "selp", "cvta", "prmt", "bfi"):
        return "move"
    if name in SPECIAL or (name in ("rcp", "sqrt") and "approx" in parts):
        return "special function"
    if name in ("div", "rem", "sqrt", "rcp"):
        return "division or root"
    last = next((p for p in reversed(parts) if p[-1].isdigit()), "")
    if last in ("f32", "f64", "f16", "f16x2", "bf16", "bf16x2"):
        return {"f32": "float32", "f64": "float64"}.get(last, "float16")
    return "integer"


def mix(instructions: tuple[Instruction, ...]) -> dict[str, int]:
    """How many instructions of each kind there are, the most frequent first."""
    return dict(Counter(map(kind, instructions)).most_common())


def widths(instructions: tuple[Instruction, ...]) -> dict[str, int]:
    """How many loads and stores of global memory of each width: ``{"load of 32 bits": 2, "store of 128 bits": 1}``."""
    found: Counter = Counter()
    for one in instructions:
        what = kind(one)
        if what in ("global load", "global store", "generic load", "generic store"):
            place = "" if what.startswith("global") else ", space not known"
            found[f"{what.split()[1]} of {width(one)} bits{place}"] += 1
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class SlowPath:
    """Something on a line that takes many instructions or a call; ``count`` of them, and what to do instead."""

    place: Place
    what: str
    count: int
    advice: str


_APPROXIMATE = "cuda.jit(fastmath=True) takes the fast one, with an error of some ulps"
_WIDE = "float64 has half of float32's rate on sm_80, sm_90 and sm_100, a 32nd or 64th elsewhere"
_SLOW = {
    "div.rn.f32": ("float32 division, rounded right", f"multiply by a reciprocal, or {_APPROXIMATE}"),
    "div.rn.ftz.f32": ("float32 division, rounded right", f"multiply by a reciprocal, or {_APPROXIMATE}"),
    "rcp.rn.f32": ("float32 reciprocal, rounded right", _APPROXIMATE),
    "sqrt.rn.f32": ("float32 square root, rounded right", _APPROXIMATE),
    "div.rn.f64": ("float64 division", _WIDE),
    "rcp.rn.f64": ("float64 reciprocal", _WIDE),
    "sqrt.rn.f64": ("float64 square root", _WIDE),
}
_DIVISIONS = ("div.s64", "div.u64", "rem.s64", "rem.u64")
_LOOP = "Numba counts the steps of a range by a division; `while i < n: ... i += stride` has none"
_POWER = "powf of CUDA's library"


def slow_paths(
    instructions: tuple[Instruction, ...], source: dict[Place, str], powers: set[Place]
) -> tuple[SlowPath, ...]:
    """The slow paths by line. ``source`` has the text of the lines, ``powers`` those with a power of a float32."""
    found: dict[tuple[Place, str, str], int] = defaultdict(int)
    local: set[Place] = set()
    place = Place("", 0)
    for one in reversed(instructions):
        place = one.place if one.place.line else place  # of code from no single line, the line that comes after it
        for what, advice in _slow(one, source.get(place, "")):
            found[place, what, advice] += 1
        if REDUCTION in one.text:
            found[one.place, "sin, cos or tan: large arguments", _sine(instructions, one.place)] += 1
            local.add(one.place)
    for place in sorted(powers):
        count = sum(one.place == place for one in instructions)
        what = f"float32 power: {count} instructions on this line"
        found[place, what, "x ** 2 with a literal integer multiplies; math.exp(y * math.log(x)) is shorter"] += 1
    return tuple(SlowPath(place, what, count, advice) for (place, what, advice), count in sorted(found.items()))


def _slow(one: Instruction, line: str) -> Iterator[tuple[str, str]]:
    if one.opcode in _SLOW:
        yield _SLOW[one.opcode]
    elif one.opcode in _DIVISIONS:
        if "range(" in line:
            yield "64-bit integer division in range(...) with a step", _LOOP
        else:
            yield "64-bit integer division", "divide int32 values, or shift and mask for a power of two"
    elif one.opcode.startswith("call") and "__internal" in one.text:
        name = next(word.strip("(),") for word in one.text.split() if word.startswith("__"))
        yield f"call of {name}", "a function of CUDA's library in float64; see where the float64 comes from"


def _sine(instructions: tuple[Instruction, ...], place: Place) -> str:
    stores = sum(one.place == place and one.opcode.startswith("st.local") for one in instructions)
    memory = f"it takes local memory ({stores} stores) where |x| > 105,615" if stores else "a long path for large |x|"
    return f"{memory}; sine, cosine and tangent of workbench.trigonometry have none, nor float64"
