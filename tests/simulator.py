"""What test files compute in a process where Numba simulates CUDA: one process for all of them."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

MODULES = (
    "test_atomics",
    "test_cpu_semantics",
    "test_simulator",
    "test_dialect_atomics",
    "test_dialect_control",
    "test_dialect_memory",
    "test_dialect_numbers",
    "test_dialect_threads",
)

CALL = """
import importlib, sys, torch
file, *modules = sys.argv[1:]
torch.save({name: importlib.import_module(name).in_simulator() for name in modules}, file)
"""


@functools.cache
def _all():
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": path}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "simulated.pt"
        command = [sys.executable, "-c", CALL, str(file), *MODULES]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return torch.load(file)


def simulated(module):
    """What ``in_simulator()`` of a test module returns there: tensors and strings by name."""
    return _all()[module]


def assert_same(found, expected):
    """That two dicts of tensors hold the same numbers, bit for bit, but for the sign of zero and NaN's bits."""
    assert set(found) == set(expected)
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0, equal_nan=True, msg=name)
