"""The exercises, a file for each notebook."""

from importlib import import_module
from pkgutil import iter_modules

from workbench.course.exercise import Exercise


def _all() -> dict[str, Exercise]:
    found = [one for module in iter_modules(__path__) for one in import_module(f"{__name__}.{module.name}").EXERCISES]
    return {one.name: one for one in found}


ALL = _all()
"""Every exercise of the course, by its name."""
