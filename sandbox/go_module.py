"""Builds the programs of a Go module: progress that a person can watch, one build at a time, published complete or not at all."""

import hashlib
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.activity import Activity, activity
from sandbox.errors import BuildError
from sandbox.locks import try_lock, wait_for_lock

_LOG_LINES = 30
"""Lines of compiler output shown when a build fails."""


def source_hash(module: Path) -> str:
    """Hash of go.mod and go.sum: everything that decides what is compiled, except the compiler."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        content = (module / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path, of: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel frees it when the holder ends, however it ends. `of` names what is built."""
    with path.open("w", encoding="utf-8") as lock:
        if not try_lock(lock):
            with activity(f"Waiting for another build of {of}"):
                wait_for_lock(lock)
        yield


def go_environment(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The caller's environment (proxies, caches) without the settings that would change what is built."""
    fixed = {"GOBIN": str(directory), "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    return {**environment, **fixed}


def go_output(go: Path, module: Path, arguments: list[str], environment: Mapping[str, str]) -> str:
    """What a go command prints.

    Raises:
        BuildError: it failed.
    """
    result = subprocess.run(
        [str(go), *arguments], cwd=module, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BuildError(f"go {' '.join(arguments[:2])} failed; is the Go module proxy reachable?\n{result.stderr}")
    return result.stdout


def go_install(
    go: Path,
    module: Path,
    packages: Sequence[str],
    link_flags: str,
    environment: Mapping[str, str],
    progress: Activity,
) -> None:
    """Compile packages into `$GOBIN`; progress counts what go names (what is in Go's own cache is never named).

    Raises:
        BuildError: the build failed; the message carries the end of the compiler's output.
    """
    progress.update("listing packages, downloading modules")
    total = len(go_output(go, module, ["list", "-deps", *packages], environment).split())
    command = [str(go), "install", "-v", "-trimpath", "-buildvcs=false", "-ldflags", link_flags, *packages]
    tail: deque[str] = deque(maxlen=_LOG_LINES)
    compiled = 0
    with subprocess.Popen(command, cwd=module, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None  # noqa: S101 - PIPE was asked for two lines above
            for line in process.stderr:
                tail.append(line)
                compiled += not line.startswith("go: ")
                progress.update(line.strip(), compiled, total)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise BuildError(f"go install failed with exit code {process.returncode}:\n{''.join(tail)}")
