"""The command line: tour, lab, list, audit, report, port."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from pathlib import Path
from typing import NoReturn

from workbench.named import NotFound, find, nearest

COMMANDS = ("tour", "lab", "list", "audit", "report", "port")


class _Parser(argparse.ArgumentParser):
    """Answers a wrong word with the nearest right one."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message:
            word = message.split("invalid choice: ")[1].split(" ")[0].strip("'\"")
            message = f"there is no command {word!r}{nearest(word, COMMANDS)}"
        self.exit(2, f"workbench: {message}\nTry: workbench --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _Parser(
        prog="workbench",
        description="Prototype CUDA loss kernels in Python: run them with or without a GPU, prove their gradients.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    tour = commands.add_parser("tour", help="see everything once, in under a minute, and get a page of it")
    tour.add_argument("--page", type=Path, default=Path("workbench-tour.html"), help="where to write the HTML page")
    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab")
    lab.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    lab.add_argument("--port", type=int, default=8888, help="the first port to try (8888)")
    commands.add_parser("list", help="name the losses and the patterns, and say what each is for")
    audit = commands.add_parser("audit", help="ask whether a loss or a pattern and its gradient are right")
    audit.add_argument(
        "name",
        metavar="NAME",
        help="a loss or a pattern that `workbench list` names, or path/to/file.py:Function, where the file also has "
        "example(), which returns the inputs, and may have reference(*inputs), the same in plain torch",
    )
    report = commands.add_parser("report", help="see what the compiler makes of a kernel, with or without a GPU")
    report.add_argument(
        "name",
        metavar="NAME",
        help="a loss or pattern, or path/to/file.py:kernel (or :Function), where the file also has example(), which "
        "returns the arguments",
    )
    report.add_argument("--arch", default="sm_90", help="the GPU's architecture, sm_75 to sm_121 (sm_90)")
    report.add_argument("--lines", action="store_true", help="also show source, PTX and machine code side by side")
    port = commands.add_parser("port", help="write a loss as a PyTorch extension in CUDA C++")
    port.add_argument(
        "name",
        metavar="NAME",
        help="a loss or a pattern that `workbench list` names, or path/to/file.py:Function, where the file also has "
        "example(), which returns the inputs, and may have reference(*inputs), the same in plain torch",
    )
    port.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or an empty directory")
    chosen = parser.parse_args(arguments)
    run = {"tour": _tour, "lab": _lab, "list": _list, "audit": _audit, "report": _report, "port": _port}[chosen.command]
    return run(chosen)


def _tour(chosen: argparse.Namespace) -> int:
    from tqdm.auto import tqdm

    from workbench.tour import Section, tour

    def show(section: Section) -> None:
        tqdm.write(f"\n{section.title}\n{'=' * len(section.title)}\n{textwrap.fill(section.text, 100)}\n")
        for table in section.tables:
            tqdm.write(f"{table}\n")

    path = chosen.page.resolve()
    if not path.parent.is_dir():
        print(f"workbench: there is no folder {path.parent} to write the page to", file=sys.stderr)
        return 2
    try:
        right = tour(path, show)
    except ModuleNotFoundError as missing:
        print(f"workbench: {missing}", file=sys.stderr)
        return 1
    print(f"The page with the pictures: {path}")
    print("Open it in a browser; then `workbench lab` opens the notebooks: begin with 00_start_here.ipynb.")
    if not right:
        print("workbench: something above is not as it should be", file=sys.stderr)
    return 0 if right else 1


def notebooks() -> Path:
    """The folder of notebooks beside the package. Raises FileNotFoundError outside a checkout."""
    folder = Path(__file__).resolve().parent.parent / "notebooks"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the notebooks are not beside the package ({folder}); install workbench from a checkout: pip install -e ."
        )
    return folder


def _lab(chosen: argparse.Namespace) -> int:
    try:
        import jupyterlab  # noqa: F401
    except ModuleNotFoundError:
        print('workbench: JupyterLab is not installed; run: pip install -e ".[lab]"', file=sys.stderr)
        return 1
    try:
        folder = notebooks()
    except FileNotFoundError as missing:
        print(f"workbench: {missing}", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={chosen.port}"]
    command += [f"--ServerApp.root_dir={folder}", "--LabApp.default_url=/lab/tree/00_start_here.ipynb"]
    if chosen.no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in a container; the server listens on loopback only and asks for its token
    # JupyterLab takes this process over, so that Ctrl-C and signals reach it; it makes a token of its own
    os.execv(sys.executable, command)


def _list(_: argparse.Namespace) -> int:
    from workbench import losses, patterns

    kinds = {"losses": losses, "patterns: ways to give a kernel a gradient": patterns}
    width = max(len(name) for kind in kinds.values() for name in kind.ALL)
    for k, (title, kind) in enumerate(kinds.items()):
        print(f"{'' if k == 0 else chr(10)}{title}")
        for entry in kind.ALL.values():
            print(f"  {entry.name:{width}}  {entry.summary}")
    return 0


def _audit(chosen: argparse.Namespace) -> int:
    from workbench.executors import best_device
    from workbench.gradients.audit import audit

    try:
        subject = find(chosen.name)
    except NotFound as missing:
        return _refuse(missing)
    example = subject.example(best_device())
    result = audit(subject.function, *example, reference=subject.reference, name=subject.name)
    print(result)
    if not getattr(subject.entry, "stand_in", False):
        return 0 if result.passed else 1
    right = subject.entry.is_as_claimed(result)
    said = (
        f"{subject.name} claims a gradient that is on purpose not the derivative of its value. Differences of the "
        f"value must contradict it, and nothing else may: {'so it is' if right else 'it is NOT so'}."
    )
    print("\n" + textwrap.fill(said, 100))
    return 0 if right else 1


def _report(chosen: argparse.Namespace) -> int:
    from workbench.errors import LaunchError
    from workbench.inspection.command import reports_of

    try:
        found = reports_of(find(chosen.name), chosen.arch)
    except (NotFound, LaunchError) as refused:
        return _refuse(refused)
    parts = [str(part) for one in found for part in ((one, one.lines()) if chosen.lines else (one,))]
    print("\n\n".join(parts))
    return 0


def _port(chosen: argparse.Namespace) -> int:
    import torch

    from workbench import port
    from workbench.errors import LaunchError, PortError

    try:
        subject = find(chosen.name)
        example = subject.example(torch.device("cpu"))
        print(port(subject.thing, *example, to=chosen.to, reference=subject.reference))
    except (PortError, LaunchError, NotFound) as refused:
        return _refuse(refused)
    return 0


def _refuse(why: Exception) -> int:
    print(f"workbench: {why}", file=sys.stderr)
    return 2
