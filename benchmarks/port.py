"""Every loss and pattern ported: written, built for the CPU, its own tests run, and compiled by nvcc for five GPUs.

    python benchmarks/port.py [NAME ...]

Prints a table, with seconds for each step. Needs a C++ compiler; nvcc is optional. Nothing runs on a GPU. It takes
about a minute for each function.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from tqdm import tqdm

import workbench as wb
from workbench import losses, patterns

ARCHITECTURES = (75, 80, 90, 100, 120)
OPTIONS = {"squared_distance": [{"deterministic": True}], "adaptive_robust": [{"by_differences": True}]}
"""Of functions with kernels that only a call with an option launches."""

HERE = {**os.environ, "PYTHONPATH": str(Path(wb.__file__).parent.parent)}


def nvcc() -> str | None:
    """The compiler: on the path, or from the wheel of the ``port`` extra."""
    found = shutil.which("nvcc")
    if found is None:
        found = next((str(path) for folder in sys.path for path in Path(folder).glob("nvidia/*/bin/nvcc")), None)
    return found


def run(command: list[str], folder: Path) -> tuple[float, subprocess.CompletedProcess]:
    """The seconds that a command takes, and what it said."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=HERE, capture_output=True, text=True)
    return time.perf_counter() - start, done


def compiled(compiler: str, folder: Path) -> tuple[float, subprocess.CompletedProcess]:
    """nvcc's run over the operators, for all architectures at once, against the headers of this torch."""
    command = [
        compiler,
        "-std=c++20",
        "-O3",
        "-c",
        "csrc/ops.cu",
        "-o",
        "ops.o",
        "-DTORCH_TARGET_VERSION=0x020a000000000000",
    ]
    command += [f"-I{folder}", f"-I{Path(torch.__file__).parent / 'include'}", "-Xcompiler", "-fPIC"]
    for architecture in ARCHITECTURES:
        command += ["-gencode", f"arch=compute_{architecture},code=sm_{architecture}"]
    return run(command, folder)


def counted(text: str) -> str:
    """Pytest's closing line, without its seconds."""
    lines = [line for line in text.splitlines() if re.search(r"\d+ (passed|failed|error)", line)]
    return re.sub(r" in .*| *=+ *|, \d+ warnings?", "", lines[-1]) if lines else "no tests ran"


def row(case: losses.Loss | patterns.Pattern, folder: Path, compiler: str | None) -> list[str]:
    """The cells of one function."""
    start = time.perf_counter()
    inputs = case.example(torch.device("cpu"))
    options = OPTIONS.get(case.name, ())
    port = wb.port(
        case.function, *inputs, to=folder, name=f"{case.name}_ext", reference=case.reference, options=options
    )
    cells = [case.name, str(len(port.kernels)), f"{time.perf_counter() - start:.0f}"]
    seconds, built = run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], folder)
    cells.append(f"{seconds:.0f}" if built.returncode == 0 else "FAILED")
    seconds, tested = run([sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider"], folder)
    cells += [counted(tested.stdout), f"{seconds:.0f}"]
    if compiler:
        seconds, done = compiled(compiler, folder)
        cells.append(f"{seconds:.0f}" if done.returncode == 0 else f"FAILED: {done.stderr.splitlines()[0]}")
    return [*cells, "; ".join(operator.name for operator in port.operators) or "none"]


def main() -> None:
    cases = {**losses.ALL, **patterns.ALL}
    chosen = [cases[name] for name in sys.argv[1:] or cases]
    compiler = nvcc()
    heads = ["function", "kernels", "write, s", "build, s", "its tests on the CPU", "tests, s"]
    heads += [f"nvcc for sm_{', '.join(map(str, ARCHITECTURES))}, s"] * (compiler is not None) + ["operators"]
    print(f"torch {torch.__version__}, {os.cpu_count()} cores" + ("" if compiler else ", no nvcc here") + "\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for case in tqdm(chosen):
        with tempfile.TemporaryDirectory() as folder:
            tqdm.write(f"| {' | '.join(row(case, Path(folder), compiler))} |")


if __name__ == "__main__":
    main()
