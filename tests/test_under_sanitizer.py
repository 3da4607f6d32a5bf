"""The kernels of other tests, sanitized: nothing is found in one that is right, and it gives what it should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

FAMILIES = (
    "test_adaptive_robust",
    "test_answers_*",
    "test_atomics",
    "test_contention",
    "test_cpu_*",
    "test_cross_entropy",
    "test_dialect_*",
    "test_losses",
    "test_pattern_truths",
    "test_patterns",
    "test_random_kernels",
    "test_squared_*",
    "test_trigonometry",
)

QUICK = ("test_dialect_names", "test_dialect_random")

APART = {
    "test_cpu_cache.py": "looks at what an ordinary launch stores",
    "test_cpu_float32.py": "launches nothing",
    "test_cpu_readme.py": "launches nothing",
    "test_cpu_stretch.py::test_the_rows_of_a_grid": "the rows of blocks race for each element, on purpose",
    "test_cpu_stretch.py::test_which_are_stretched": "looks at what an ordinary launch compiled",
    "test_contention.py::test_blocks_are_shared_where": "looks at what an ordinary launch compiled",
    "test_dialect_refusals.py": "kernels that are refused, in the words of an ordinary launch",
    **{f"{path.name}::test_wrong_answer": "kernels that are wrong" for path in TESTS.glob("test_answers_*.py")},
}
"""Tests that are not for the sanitizer, and why."""

FILES = [path for family in FAMILIES for path in sorted(TESTS.glob(f"{family}.py")) if path.name not in APART]


def under_sanitizer(file, *options):
    """The tests of a file, the long ones too, in a process of their own where every launch is sanitized."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "", "-p", "under_sanitizer", "-c"]
    command += [str(TESTS.parent / "pyproject.toml"), *options, str(file)]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "file", [pytest.param(f, marks=() if f.stem in QUICK else pytest.mark.long) for f in FILES], ids=lambda f: f.stem
)
def test_nothing_is_found_in_right_kernels(file):
    apart = [f"--deselect=tests/{test}" for test in APART if test.startswith(f"{file.name}::")]
    done = under_sanitizer(file, *apart)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert int(re.search(r"sanitized: (\d+) launches", done.stdout)[1]) > 0


RACE = """
import numpy as np
from numba import cuda

import workbench as wb


@cuda.jit
def everyone_writes(x):
    x[0] = cuda.grid(1)


def test_passes_where_nobody_looks():
    try:
        wb.launch(everyone_writes[1, 4], np.zeros(1))
    except Exception:
        pass
"""


def test_a_test_fails_by_what_is_found(tmp_path):
    file = tmp_path / "test_race.py"
    file.write_text(RACE)
    done = under_sanitizer(file)
    assert done.returncode == 1
    assert "everyone_writes, line 10, `x[0] = cuda.grid(1)`: write-write race" in done.stdout
    assert "sanitized: 1 launches of 1 kernels" in done.stdout
