"""Execute the notebooks from top to bottom, each in a fresh kernel, and write their outputs back.

    python notebooks/execute.py            all of them
    python notebooks/execute.py 00 04      those whose names begin so

What differs from one run or one machine to another is left out, so that a second run changes only
what was measured or is random. A cell that raises, or writes to stderr, is named; its notebook
stays as it was, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm.auto import tqdm

FOLDER = Path(__file__).resolve().parent

WIDGET = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}

TEMPORARY = re.escape(tempfile.gettempdir())

NOISE = [
    (re.compile(rf"{TEMPORARY}/ipykernel_\d+/\d+\.py"), "cell"),
    (re.compile(rf"{TEMPORARY}/tmp\w{{8}}"), "temporary"),
    (re.compile(rf"{re.escape(str(FOLDER.parent))}/?"), ""),
    (re.compile(re.escape(str(Path.home())) + r"(?=/)"), "~"),
    (re.compile(r"\b0x[0-9a-f]{9,16}\b"), "0x…"),
]
"""What a machine writes of itself, and what stands in its place: files, folders, addresses."""


class Refused(Exception):
    """A notebook that cannot be published as it is: the message names the cell."""


def execute(path: Path, timeout: float = 600) -> NotebookNode:
    """The notebook as a run in a fresh kernel leaves it, in its own folder, without progress bars.

    Raises Refused where a cell raises, takes longer than ``timeout`` seconds, writes to stderr, or
    shows a widget without a still of it.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # so that what is there afterwards is of this run
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=True,  # tells progress bars from other widgets
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # a kernel warns of its own transport
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
        raise Refused(f"{path.name}: {_last_run(notebook)}\n{problem}") from None
    states = notebook.metadata.pop("widgets", {}).get(STATES, {}).get("state", {})
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress(output, states)]
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                raise Refused(f"{path.name}: {_named(cell)} writes to stderr:\n{output['text']}")
            if WIDGET in output.get("data", {}) and "image/png" not in output["data"]:
                raise Refused(
                    f"{path.name}: {_named(cell)} shows a widget without a still; "
                    "workbench.plot.slider has one"
                )
    return notebook


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what a machine or a moment left in it.

    Updates: ``notebook``. Cells are named by their place. A live widget, which has no meaning
    without its kernel, is dropped where a still stands beside it.
    """
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data.pop(WIDGET, None)
            for holder, key in _texts(output):
                for pattern, stand_in in NOISE:
                    holder[key] = pattern.sub(stand_in, holder[key])
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat_minor = 5
    return notebook


def _is_progress(output: NotebookNode, states: dict[str, NotebookNode]) -> bool:
    """Whether an output is a progress bar, which has gone by the time that its cell is done."""
    model = output.get("data", {}).get(WIDGET, {}).get("model_id")
    inside = states.get(model, {}).get("state", {}).get("children", ())
    kinds = [states.get(child.removeprefix("IPY_MODEL_"), {}).get("model_name") for child in inside]
    return "FloatProgressModel" in kinds


def _texts(output: NotebookNode) -> Iterator[tuple[NotebookNode, str]]:
    if "text" in output:
        yield output, "text"
    data = output.get("data", {})
    yield from ((data, kind) for kind in data if kind.startswith("text/"))


def _last_run(notebook: NotebookNode) -> str:
    """The cell at which a run ended."""
    return _named([c for c in notebook.cells if c.get("execution_count")][-1])


def _named(cell: NotebookNode) -> str:
    return (
        f"cell [{cell.execution_count}], which begins with `{cell.source.strip().splitlines()[0]}`,"
    )


def _chosen(names: list[str]) -> list[Path]:
    every = sorted(FOLDER.glob("*.ipynb"))
    found = {name: [p for p in every if p.name.startswith(Path(name).name)] for name in names}
    for name, paths in found.items():
        if not paths:
            raise Refused(
                f"no notebook begins with {name!r}; there are {', '.join(p.stem for p in every)}"
            )
    return sorted({path for paths in found.values() for path in paths}) if names else every


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Execute the notebooks and write their outputs back."
    )
    parser.add_argument(
        "names", nargs="*", help="how the names of the notebooks begin, such as 04; by default all"
    )
    names = parser.parse_args().names
    try:
        progress = tqdm(_chosen(names), unit="notebook")
        for path in progress:
            progress.set_postfix_str(path.stem)
            begin = time.perf_counter()
            nbformat.write(clean(execute(path)), path)
            tqdm.write(f"{path.stem:32} {time.perf_counter() - begin:6.1f} s")
    except Refused as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
