"""The page about the CPU executor shows what the executor emits."""

import re
from pathlib import Path

import workbench
from workbench.executors.cpu.compile import compile_kernel

FOLDER = Path(workbench.__file__).parent / "executors" / "cpu"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_emitted_form_is_the_one_shown(tmp_path, monkeypatch):
    from numba.core import types

    written, emitted = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "shown_kernel.py").write_text(f"from numba import cuda, float32\n\n\n{written}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from shown_kernel import block_sums

    array = types.Array(types.float32, 1, "C")
    source = compile_kernel(block_sums, (128, 1, 1), (array, array)).source
    assert re.sub(r"__out\d+", "", source) == emitted


def test_every_file_has_its_place_in_the_table():
    rooms = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert rooms == set(re.findall(r"`(\w+)`", PAGE.split("## The rooms")[1]))
