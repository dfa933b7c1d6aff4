"""What can go wrong with a sandbox; every message names the remedy."""


class SandboxError(Exception):
    """Base of everything the sandbox raises on its own account."""


class BuildError(SandboxError):
    """The binaries could not be built or the Go toolchain could not be had."""


class ComponentFailedError(SandboxError):
    """A component ended, or was not ready in time; the message carries the end of its log."""
