"""What derive makes of nine functions: formula, source, error and range, and whether float32 stays float32.

``python benchmarks/derive.py`` prints Markdown.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import torch
from cpu_executor import markdown, processor
from derived_functions import BY
from numba import cuda, float32
from tqdm import tqdm

import workbench as wb

OTHERS = {"t": (0.0, 1.0), "y": (-3.0, 0.0, 1.0), "x": (-2.0, 1.0)}
"""What the other parameter is, by its name."""


def float64_instructions(function: Callable) -> list[str]:
    """The PTX instructions in float64 of a device function of float32, without the declarations of registers."""
    kinds = (float32,) * function.__code__.co_argcount
    ptx, _ = cuda.compile(function, kinds, cc=(9, 0), device=True)
    return [line.split()[0] for line in ptx.splitlines() if ".f64" in line and ".reg" not in line]


def plain_sine(x):
    return math.sin(x)


def main() -> None:
    print(f"# What derive makes of nine functions, {date.today()}\n\n{processor()}; torch {torch.__version__}.\n")
    print(
        "Each derivative in float32 over |x| ≤ 120, run as a kernel and held against differences of the function in "
        "hundreds of digits. An ulp is the unit in the last place of the true derivative; the second figure counts in "
        "what the last bit of x makes of it where that is more, near a crossing of zero. Float64 are the instructions "
        "of the compiled PTX (compute capability 9.0) that compute in it; a plain `math.sin(x)` has "
        f"{len(float64_instructions(plain_sine))}.\n"
    )
    rows, pages = [], []
    for function, by in tqdm(BY.items()):
        derived = wb.derive(function, by=by)
        names = [p.name for p in derived.formula.parameters if p.name != by]
        found = derived.stability(**{name: OTHERS[name] for name in names})
        low, high = found.holds or (math.nan, math.nan)
        wide = float64_instructions(derived.function.py_func)
        worst = f"{found.worst:.3g}" if math.isfinite(found.worst) else "∞"
        relative = f"{found.relative:.3g}" if math.isfinite(found.relative) else "∞"
        where = ", ".join(f"{name} = {value:.6g}" for name, value in found.where.items())
        rows.append([function.__name__, worst, relative, where, f"{low:g} to {high:g}", str(len(wide) or "none")])
        kinks = "".join(f"\n{kink}.\n" for kink in derived.kinks)
        pages.append(
            f"## {function.__name__}\n\n$${derived.latex}$$\n{kinks}\n```python\n{derived.source.strip()}\n```\n"
        )
    print(markdown(["", "worst, ulp", "of result or x", "at", "within 16 ulp", "float64"], rows))
    print("\n" + "\n".join(pages))


if __name__ == "__main__":
    main()
