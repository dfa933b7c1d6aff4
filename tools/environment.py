"""Make the project's virtual environment from the hashed lock, once; needs nothing but Python 3.11 or newer.

Safe to call from several `make` at once: a file lock lets one work while the others wait, and a stamp says what is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "stowplan-lock.sha256"
OLDEST = (3, 11)


def wanted_stamp() -> str:
    """What the environment must have been made from."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the environment already holds what the lock asks for."""
    return STAMP.exists() and STAMP.read_text() == wanted_stamp()


def pip(*arguments: str) -> None:
    """Run the environment's pip, quietly but with its progress bar on a terminal."""
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, cwd=ROOT)


def make() -> None:
    """Create the environment and install the locked packages, then the project itself in place."""
    print("environment: installing the locked packages into .venv (about a minute, once)", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    # The lock is complete. Left to resolve, pip meets an extra (coverage[toml]) at its newest version before the pinned one, and refuses.
    pip("install", "--quiet", "--no-deps", "--require-hashes", "-r", "requirements.lock")
    pip("check")
    pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(wanted_stamp())
    print("environment: ready", flush=True)


def main() -> int:
    """Bring the environment up to date; exit code 1 with a sentence where that cannot be done."""
    if sys.version_info[:2] < OLDEST:
        print(f"environment: Python {sys.version.split()[0]} is too old; run make PYTHON=python3.11 (or newer)")
        return 1
    if is_current():
        return 0
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current():
            try:
                make()
            except subprocess.CalledProcessError as error:
                print(f"environment: {' '.join(error.cmd[2:])} failed with exit code {error.returncode}; see above")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
