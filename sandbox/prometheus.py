"""A real Prometheus: Debian's package, unpacked into the cache without installing it, or one on PATH."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.activity import activity
from sandbox.errors import BuildError
from sandbox.paths import cache_dir

PACKAGE: Final = "prometheus"
_PROGRAMS: Final = ("prometheus", "promtool")


@dataclass(frozen=True)
class PrometheusPrograms:
    """Where the programs are."""

    prometheus: Path
    promtool: Path


def ensure_prometheus(environment: Mapping[str, str] = os.environ) -> PrometheusPrograms:
    """The programs, from the cache, else from Debian's package (20 MB, once), else from PATH.

    Raises:
        BuildError: there is none of them; the message says what apt-get said.
    """
    home = cache_dir(environment) / "prometheus"
    if not (home / "promtool").exists():
        try:
            _unpack(home, environment)
        except BuildError:
            found = [shutil.which(name, path=environment.get("PATH", "")) for name in _PROGRAMS]
            if None in found:
                raise
            return PrometheusPrograms(*(Path(path) for path in found if path is not None))
    return PrometheusPrograms(*(home / name for name in _PROGRAMS))


def _unpack(home: Path, environment: Mapping[str, str]) -> None:
    """Download the package and publish its programs as `home`, complete or not at all."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with (
        activity("Fetching Debian's package of Prometheus (once)"),
        tempfile.TemporaryDirectory(dir=home.parent, prefix=".prometheus-") as temporary,
    ):
        directory = Path(temporary)
        _download(directory, environment)
        (package,) = directory.glob("*.deb")
        _run(["dpkg-deb", "-x", str(package), "unpacked"], directory, environment)
        programs = directory / "programs"
        programs.mkdir()
        for name in _PROGRAMS:
            (directory / "unpacked" / "usr" / "bin" / name).rename(programs / name)
        try:
            programs.rename(home)
        except OSError:
            if not (home / "promtool").exists():  # else somebody else was faster
                raise


def _download(directory: Path, environment: Mapping[str, str]) -> None:
    try:
        _run(["apt-get", "download", PACKAGE], directory, environment)
    except BuildError:
        # A fresh machine has no package lists, or old ones that name versions which are gone.
        _run(["apt-get", "update"], directory, environment)
        _run(["apt-get", "download", PACKAGE], directory, environment)


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
    """Run a command of the system.

    Raises:
        BuildError: it is not there, or failed.
    """
    program = shutil.which(command[0], path=environment.get("PATH", ""))
    if program is None:
        raise BuildError(f"{command[0]} is not there to fetch Prometheus; install prometheus and put it on PATH")
    result = subprocess.run(
        [program, *command[1:]], cwd=directory, env=dict(environment), capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BuildError(
            f"{' '.join(command)} failed; install prometheus by hand and put it on PATH:\n{result.stderr.strip()}"
        )
