"""The JSON contract: one file per part, the part's data in an envelope that says when, where and how it was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from perf.cluster import PlaceName
from perf.part import Profile

SCHEMA_VERSION: Final = 1
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. Figures of different machines are comparable only where they are ratios."""

    cpus: int
    cpu_model: str
    memory_mib: int
    python: str
    load: float
    """Load average over one minute before the run: above zero, others were at work."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of one part. `data`, or `error`; both where a part failed that had found something before."""

    part: str
    profile: Profile
    started_at: str
    """UTC, as ISO 8601 to the second."""
    seconds: float
    commit: str
    command: str
    """What to run to measure this part again."""
    machine: Machine
    data: Mapping[str, Any] | None = None
    error: str | None = None
    cluster: str = PlaceName.SANDBOX.value
    """Where it was measured: gates know the sandbox only."""


def encode(result: PartResult) -> str:
    """As JSON text."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(result)}, indent=1) + "\n"


def decode(text: str) -> PartResult:
    """From JSON text.

    Raises:
        ValueError: it is not such a file, or of another version.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.pop("schema_version", None) != SCHEMA_VERSION:
        raise ValueError(f"not a result of version {SCHEMA_VERSION}; measure it again with make perf")
    try:
        return PartResult(
            **{**document, "profile": Profile(document["profile"]), "machine": Machine(**document["machine"])}
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a complete result ({error}); measure it again with make perf") from error


def load(directory: Path) -> dict[str, PartResult]:
    """The results of a directory by part; other files are passed over.

    Raises:
        ValueError: a result cannot be read; the message names the file.
    """
    results = {}
    for path in sorted((directory / "parts").glob("*.json")):
        try:
            results[path.stem] = decode(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return results


def store(directory: Path, result: PartResult) -> Path:
    """Write a result beside the others, replacing an earlier one of the same part; returns its path."""
    path = directory / "parts" / f"{result.part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(encode(result), encoding="utf-8")
    return path


def this_machine() -> Machine:
    """The machine and how busy it is."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_model=_cpu_model(),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
    )


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor() or UNKNOWN
    lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), UNKNOWN)


def current_commit() -> str:
    """The commit of the sources, `-dirty` behind it where they differ from it; `unknown` outside a repository.

    The recorded history does not count: the parts before have just added to it.
    """
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)perf/history.jsonl")
    return f"{commit}-dirty" if commit and changed else commit or UNKNOWN


def _git(*arguments: str) -> str:
    """What git says about the folder of this file; nothing where there is no git, or no repository."""
    command = ["git", *arguments]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
