"""Compiled kernels on disk: the second process does not compile, and never runs what is not the kernel's."""

import linecache
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numba
import numpy as np
import pytest
from everyday import everyday

from workbench.executors.cpu import cache
from workbench.executors.cpu.read import read

KERNEL = """
import math
import numpy as np
from numba import cuda, float32, njit
import workbench as wb
from workbench.executors.cpu import compile as compiling

FACTOR = 3
TABLE = np.arange(4)


@cuda.jit(device=True)
def scaled(x):
    return x * FACTOR + math.floor(float32(0.5))


@cuda.jit
def reverse(x, y):
    shared = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    shared[t] = scaled(x[t])
    cuda.syncthreads()
    y[t] = shared[31 - t]


@cuda.jit
def of_an_array(x, y):
    y[cuda.threadIdx.x] = cuda.const.array_like(TABLE)[cuda.threadIdx.x % 4]


def run(kernel=reverse, block=32):
    x, y = np.arange(32, dtype=np.float32), np.zeros(32, np.float32)
    wb.launch(kernel[1, block], x, y)
    return y.tolist()


def refuse(*_):
    raise RuntimeError("compiles")
"""

REVERSED = [3.0 * k for k in range(31, -1, -1)]


def python(folder: Path, then: str, kernel: str = KERNEL) -> str:
    """What a process prints that has the kernels above in a file; the cache is in the folder."""
    (folder / "kernels_on_disk.py").write_text(textwrap.dedent(kernel), encoding="utf-8")
    code = f"from kernels_on_disk import *\n{textwrap.dedent(then)}"
    environment = {**os.environ, "WORKBENCH_CACHE": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    return (done.stdout + done.stderr).strip()


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "cache").glob("*") if path.is_dir())


WARM = "compiling._compile = refuse\nprint(run())"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    assert python(folder, "print(run())") == str(REVERSED)
    return folder


def test_the_second_process_does_not_compile(stored):
    assert python(stored, WARM) == str(REVERSED)
    assert len(entries(stored)) == 1


def folder_of(source: str, block: int = 32, dtype: str = "float32"):
    """Where a process would look for the kernel ``reverse`` of a source."""
    file = f"<cached {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names = {"__name__": "cached"}
    exec(compile(source, file, "exec"), names)
    array = numba.types.Array(numba.typeof(np.zeros(1, dtype)).dtype, 1, "C")
    thread = read(names["reverse"], (block, 1, 1), (array, array))
    return cache.entry(thread, (block, 1, 1), (array, array), False)


@pytest.fixture
def anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))


CHANGES = {
    "a constant": ("FACTOR = 3", "FACTOR = 4"),
    "a device function": ("return x * FACTOR", "return x + FACTOR"),
    "a function that it calls": ("math.floor", "math.ceil"),
    "the kernel": ("31 - t", "30 - t + 1"),
    "the size of a shared array": ("array(32, float32)", "array(64, float32)"),
    "a type": ("float32(0.5)", "np.float64(0.5)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_kernel_has_another_place(anywhere, change):
    old, new = CHANGES[change]
    assert old in KERNEL
    assert folder_of(KERNEL.replace(old, new)) != folder_of(KERNEL)


def test_another_launch_has_another_place(anywhere):
    places = {folder_of(KERNEL), folder_of(KERNEL, block=16), folder_of(KERNEL, dtype="float64")}
    assert len(places) == 3


def test_a_moved_kernel_has_the_same_place(anywhere):
    moved = KERNEL.replace("@cuda.jit\ndef reverse", "# a comment\n\n\n@cuda.jit\ndef reverse")
    assert moved != KERNEL
    assert folder_of(moved) == folder_of(KERNEL)


def test_two_kernels_of_one_name_are_kept_apart(stored):
    (stored / "other.py").write_text(KERNEL.replace("31 - t", "t"), encoding="utf-8")
    assert python(stored, "import other; print(other.run())") == str(REVERSED[::-1])
    both = "import other; compiling._compile = refuse; print(run()); print(other.run())"
    assert python(stored, both) == f"{REVERSED}\n{REVERSED[::-1]}"


def test_an_object_of_this_process_alone_is_not_stored(tmp_path):
    assert python(tmp_path, "print(run(of_an_array)[:5])") == "[0.0, 1.0, 2.0, 3.0, 0.0]"
    assert not entries(tmp_path)


@pytest.mark.parametrize("damaged", everyday(["*.nbc", "*.nbi", "kernel.py"], 3))
def test_a_damaged_entry_is_made_again(stored, tmp_path, damaged):
    shutil.copytree(stored / "cache", tmp_path / "cache")
    for path in tmp_path.glob(f"cache/**/{damaged}"):
        path.write_bytes(b"damaged")
    assert python(tmp_path, "print(run())") == str(REVERSED)
    assert python(tmp_path, WARM) == str(REVERSED)


def test_nothing_is_stored_where_nothing_can_be(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert python(tmp_path, "print(run())") == str(REVERSED)


def test_nothing_is_stored_when_it_is_switched_off(monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", "")
    assert cache._root() is None


def test_the_oldest_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 4)
    for k in range(4):
        (tmp_path / str(k)).mkdir()
        os.utime(tmp_path / str(k), (k, k))
    cache._forget_the_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]


def test_values_that_another_process_would_not_know():
    with pytest.raises(cache._Unknown):
        cache._of_value(np.zeros(3))
    with pytest.raises(cache._Unknown):
        cache._of_value(lambda x: x)
    assert cache._of_value(np.float32(0.1)) != cache._of_value(0.1)
