"""The page about the CPU executor shows what the executor emits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import workbench
from workbench.executors.cpu.compile import compile_kernel

FOLDER = Path(workbench.__file__).parent / "executors" / "cpu"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_emitted_form_is_the_one_shown(tmp_path, monkeypatch):
    from numba.core import types

    written, emitted, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "shown_kernel.py").write_text(f"from numba import cuda, float32\n\n\n{written}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from shown_kernel import block_sums

    array = types.Array(types.float32, 1, "C")
    source = compile_kernel(block_sums, (128, 1, 1), (array, array)).source
    assert re.sub(r"__out\d+|(?<=shared__)\d+_\d+_", "", source) == emitted


def test_the_trace_is_the_one_shown(tmp_path):
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1]
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "shown.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(tmp_path / "shown.py")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=environment)
    assert done.stdout == shown


def test_every_file_has_its_place_in_the_table():
    rooms = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert rooms == set(re.findall(r"`(\w+)`", PAGE.split("## The rooms")[1]))
