"""Figures of earlier runs: JSON lines, one for each gate of each run, appended and never rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from perf.gates import Verdict
from perf.part import Profile
from perf.results import PartResult

RECORDED: Final = Path(__file__).parent / "history.jsonl"
"""Runs worth keeping, under version control."""
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One gate in one run."""

    date: str
    """UTC, as ISO 8601: the start of the run's part."""
    commit: str
    profile: Profile
    gate: str
    value: float
    samples: tuple[float, ...]
    """What the value was chosen from."""
    bound: float | None
    status: str
    cpu_model: str


def entries(verdicts: Iterable[Verdict], results: dict[str, PartResult]) -> list[Entry]:
    """What a run adds: every gate with a figure."""
    added = []
    for verdict in verdicts:
        result = results.get(verdict.gate.part)
        if verdict.value is None or result is None:
            continue
        added.append(
            Entry(
                date=result.started_at,
                commit=result.commit,
                profile=verdict.profile,
                gate=verdict.gate.name,
                value=verdict.value,
                samples=verdict.samples,
                bound=verdict.bound.bound if verdict.bound else None,
                status=verdict.status.value,
                cpu_model=result.machine.cpu_model,
            )
        )
    return added


def append(path: Path, added: Iterable[Entry]) -> None:
    """Add lines at the end of the file, which is made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"schema_version": SCHEMA_VERSION, **asdict(entry)}) + "\n" for entry in added)


def read(path: Path) -> list[Entry]:
    """The entries of a file, in its order; none where there is no file.

    Raises:
        ValueError: a line cannot be read; the message names file and line.
    """
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(_entry(line))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: {error}; take the line out, or restore the file") from error
    return found


def _entry(line: str) -> Entry:
    document = json.loads(line)
    version = document.pop("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version {version}, not {SCHEMA_VERSION}")
    return Entry(**{**document, "profile": Profile(document["profile"]), "samples": tuple(document["samples"])})


def series(history: Iterable[Entry], gate: str, profile: Profile) -> list[Entry]:
    """One gate at one profile, oldest first; the same run is counted once, however often its line was kept."""
    wanted = {(e.date, e.commit): e for e in history if e.gate == gate and e.profile is profile}
    return sorted(wanted.values(), key=lambda entry: entry.date)


def merged(recorded: Sequence[Entry], local: Sequence[Entry]) -> list[Entry]:
    """Two histories as one; the order is by date."""
    return sorted([*recorded, *local], key=lambda entry: entry.date)
