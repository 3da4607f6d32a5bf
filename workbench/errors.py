"""What launch and port raise."""

from collections.abc import Sequence


class LaunchError(ValueError):
    """A launch that was refused before anything ran. The message says what was wrong and what to do."""


class CompileError(LaunchError):
    """A kernel that could not be compiled. The message names the kernel's own line."""


class PortError(ValueError):
    """A kernel that cannot be translated to C++. The message names the kernel's own line and the reason."""


class KernelFault(RuntimeError):
    """What CUDA does not define, found by the sanitizer or while a kernel ran as plain Python.

    ``findings`` has it as data; the message, in sentences.
    """

    def __init__(self, findings: Sequence[object]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)
