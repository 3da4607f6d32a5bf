"""What a NAME on the command line stands for: a loss, a pattern, or something in a user's own file."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class NotFound(LookupError):
    """There is no such loss, pattern, file or name in a file. The message says what there is."""


@dataclass(frozen=True)
class Named:
    """What goes by a name, with what the tools need to try it.

    ``thing`` is a function, an autograd.Function or, in a file, also a kernel; ``example(device)`` returns its inputs;
    ``entry`` is the Loss or Pattern that it is.
    """

    name: str
    thing: Any
    example: Callable[[torch.device], tuple]
    reference: Callable | None
    entry: Any = None

    @property
    def function(self) -> Callable:
        """What is called: of an autograd.Function its ``apply``."""
        return getattr(self.thing, "apply", self.thing)


def find(name: str) -> Named:
    """What is meant by the name of a loss or pattern, or by ``path/to/file.py:NAME``.

    The file is run as a module. Its ``example()`` returns the inputs, or one; its ``reference`` may be there. Raises
    NotFound.
    """
    if ".py:" in name:
        return _in_file(name)
    from workbench import losses, patterns

    known = losses.ALL | patterns.ALL
    if name not in known:
        near = nearest(name, tuple(known), "`workbench list` names them all")
        raise NotFound(f"there is no loss or pattern {name!r}{near}")
    entry = known[name]
    return Named(name, entry.function, entry.example, entry.reference, entry)


def _in_file(place: str) -> Named:
    path, _, title = place.rpartition(":")
    if not Path(path).is_file():
        raise NotFound(f"there is no file {path}")
    sys.path.insert(0, str(Path(path).resolve().parent))
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    there = tuple(name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))
    if title not in there:
        raise NotFound(f"{path} has no {title!r}{nearest(title, there)}")
    if "example" not in there:
        raise NotFound(
            f"{path} has no example(); write one that returns the inputs for {title}, such as\n"
            "    def example():\n        return (torch.randn(100),)"
        )

    def example(_: torch.device) -> tuple:
        inputs = module.example()
        return inputs if isinstance(inputs, tuple) else (inputs,)

    return Named(title, getattr(module, title), example, getattr(module, "reference", None))


def nearest(word: str, words: tuple[str, ...], otherwise: str = "") -> str:
    """The words that hold a wrong one, or are near it, as the end of a sentence; where none is, ``otherwise``."""
    near = [right for right in words if word in right] or difflib.get_close_matches(word, words, cutoff=0.7)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; {otherwise or 'there are ' + ', '.join(words)}"
