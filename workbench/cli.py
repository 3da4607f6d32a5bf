"""The command line: tour, lab, list, audit, report, port."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import textwrap
from pathlib import Path
from typing import NoReturn

COMMANDS = ("tour", "lab", "list", "audit", "report", "port")


class _Parser(argparse.ArgumentParser):
    """Answers a wrong word with the nearest right one."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message:
            word = message.split("invalid choice: ")[1].split(" ")[0].strip("'\"")
            message = f"there is no command {word!r}{_nearest(word, COMMANDS)}"
        self.exit(2, f"workbench: {message}\nTry: workbench --help\n")


def _nearest(word: str, words: tuple[str, ...], otherwise: str = "") -> str:
    """The words that hold a wrong one, or are near it, as the end of a sentence; where none is, ``otherwise``."""
    near = [right for right in words if word in right] or difflib.get_close_matches(word, words, cutoff=0.7)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; {otherwise or 'there are ' + ', '.join(words)}"


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
    from workbench import losses, patterns
    from workbench.executors import best_device
    from workbench.gradients.audit import audit

    if ".py:" in chosen.name:
        return _audit_file(chosen.name)
    known = losses.ALL | patterns.ALL
    if chosen.name not in known:
        nearest = _nearest(chosen.name, tuple(known), "`workbench list` names them all")
        print(f"workbench: there is no loss or pattern {chosen.name!r}{nearest}", file=sys.stderr)
        return 2
    subject = known[chosen.name]
    example = subject.example(best_device())
    result = audit(subject.function, *example, reference=subject.reference, name=subject.name)
    print(result)
    if chosen.name in losses.ALL:
        return 0 if result.passed else 1
    right = subject.is_as_claimed(result)
    if subject.stand_in:
        print(
            "\n"
            + textwrap.fill(
                f"{subject.name} claims a gradient that is on purpose not the derivative of its value. Differences of "
                f"the value must contradict it, and nothing else may: {'so it is' if right else 'it is NOT so'}.",
                100,
            )
        )
    return 0 if right else 1


def _audit_file(place: str) -> int:
    """Audit a function of a user's own file, which is run for it as a module."""
    import runpy

    from workbench.gradients.audit import audit

    path, _, title = place.rpartition(":")
    if not Path(path).is_file():
        print(f"workbench: there is no file {path}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(path).resolve().parent))
    names = runpy.run_path(path, run_name="audited")
    functions = tuple(name for name, value in names.items() if callable(value) and not name.startswith("_"))
    if title not in names:
        print(f"workbench: {path} has no {title!r}{_nearest(title, functions)}", file=sys.stderr)
        return 2
    if not callable(names.get("example")):
        print(
            f"workbench: {path} has no example(); write one that returns the inputs for {title}, such as\n"
            "    def example():\n        return (torch.randn(100),)",
            file=sys.stderr,
        )
        return 2
    function = getattr(names[title], "apply", names[title])
    inputs = names["example"]()
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    result = audit(function, *inputs, reference=names.get("reference"), name=title)
    print(result)
    return 0 if result.passed else 1


def _report(chosen: argparse.Namespace) -> int:
    from workbench.errors import LaunchError
    from workbench.inspection.command import NotFound, reports_of

    try:
        found = reports_of(chosen.name, chosen.arch)
    except (NotFound, LaunchError) as refused:
        print(f"workbench: {refused}", file=sys.stderr)
        return 2
    parts = [str(part) for one in found for part in ((one, one.lines()) if chosen.lines else (one,))]
    print("\n\n".join(parts))
    return 0


def _port(chosen: argparse.Namespace) -> int:
    import torch

    from workbench import losses, patterns, port
    from workbench.errors import LaunchError, PortError

    known = losses.ALL | patterns.ALL
    try:
        if ".py:" in chosen.name:
            function, inputs, reference = _from_file(chosen.name)
        elif chosen.name in known:
            subject = known[chosen.name]
            function, inputs, reference = subject.function, subject.example(torch.device("cpu")), subject.reference
        else:
            nearest = _nearest(chosen.name, tuple(known), "`workbench list` names them all")
            raise LookupError(f"there is no loss or pattern {chosen.name!r}{nearest}")
        print(port(function, *inputs, to=chosen.to, reference=reference))
    except (PortError, LaunchError, LookupError) as problem:
        print(f"workbench: {problem}", file=sys.stderr)
        return 2
    return 0


def _from_file(place: str) -> tuple:
    """A function of a user's own file, the inputs that example() there returns, and reference or None.

    Raises LookupError for a file, a function or an example() that is not there.
    """
    import importlib.util

    path, _, title = place.rpartition(":")
    if not Path(path).is_file():
        raise LookupError(f"there is no file {path}")
    sys.path.insert(0, str(Path(path).resolve().parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = tuple(name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))
    if title not in functions:
        raise LookupError(f"{path} has no {title!r}{_nearest(title, functions)}")
    if "example" not in functions:
        raise LookupError(
            f"{path} has no example(); write one that returns the inputs for {title}, such as\n"
            "    def example():\n        return (torch.randn(100),)"
        )
    inputs = module.example()
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return getattr(module, title), inputs, getattr(module, "reference", None)
