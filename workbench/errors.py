"""What launch raises when it refuses a call."""


class LaunchError(ValueError):
    """A launch that was refused before anything ran. The message says what was wrong and what to do."""


class CompileError(LaunchError):
    """A kernel that could not be compiled. The message names the kernel's own line."""
