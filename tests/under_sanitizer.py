"""A pytest plugin, ``-p under_sanitizer``: every launch on the CPU is sanitized, and a test fails by what is found.

What is found in a launch that a test sanitizes itself is for that test to judge.
"""

import pytest

from workbench.executors import cpu

_kernels = []
_found = []
_sanitize = cpu.sanitized


def _sanitized(configuration, arguments):
    _kernels.append(configuration.kernel)
    return _sanitize(configuration, arguments)


def _launch(configuration, arguments):
    _found.extend(_sanitized(configuration, arguments))


cpu.launch, cpu.sanitized = _launch, _sanitized


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    _found.clear()
    result = yield
    assert not _found, "\n".join(map(str, _found))
    return result


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"sanitized: {len(_kernels)} launches of {len(set(map(id, _kernels)))} kernels")
