"""What the suite is made of: parts, each measured by itself, each with a JSON file and a section of the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from perf.cluster import Place, PlaceName, sandbox
from perf.report.section import Section
from sandbox.activity import Activity

_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")


class Profile(StrEnum):
    """How much is measured."""

    SHORT = "short"
    """Every part in small; under ten minutes on two cores, as CI runs it."""
    FULL = "full"


Data = Mapping[str, Any]
"""What a part found, as JSON: its own shape, documented in docs/perf.md."""


def _forget(_found: Data) -> None:
    """Nobody asked for what is found on the way."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a part is given."""

    profile: Profile
    progress: Activity
    scratch: Path
    """A directory of its own, empty, removed afterwards."""
    place: Place = sandbox
    """Makes a cluster with stowplan in it."""
    traces: Path | None = None
    """Whole recordings, for parts that ship samples only."""
    keep: Callable[[Data], None] = _forget
    """Takes what has been found so far, fit for the section: it stays if the rest of the part fails."""

    @property
    def short(self) -> bool:
        """Whether to measure in small."""
        return self.profile is Profile.SHORT


def takes(short: int, full: int) -> Mapping[Profile, int]:
    """Seconds on two cores, as measured once."""
    return {Profile.SHORT: short, Profile.FULL: full}


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement.

    Raises:
        ValueError: the name is not fit for a file name.
    """

    name: str
    measure: Callable[[Context], Data]
    section: Callable[[Data], Section]
    starts_processes: bool = False
    """Whether it starts processes that show progress of their own (a control plane)."""
    places: frozenset[PlaceName] = frozenset({PlaceName.SANDBOX})
    """Where it can be measured (`Context.place`); parts without a cluster count as the sandbox's."""
    profiles: frozenset[Profile] = frozenset(Profile)
    """Where it runs unless it is asked for by name."""
    takes: Mapping[Profile, int] = field(default_factory=dict)
    """Seconds (see `takes`); they tell people beforehand what to expect."""
    takes_in_kind: Mapping[Profile, int] = field(default_factory=dict)
    """The same in kind, the cluster included; the image has been built there before."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"part {self.name!r}: use lower-case letters, digits and hyphens, such as 'openb'")
