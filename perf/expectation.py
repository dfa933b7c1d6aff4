"""How long a run will take, told before it begins: as long as the last one here, or as on two cores once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perf.cluster import PlaceName
from perf.part import Part, Profile
from perf.results import PartResult


def expected_seconds(
    parts: Sequence[Part],
    profile: Profile,
    stored: Mapping[str, PartResult],
    place: PlaceName = PlaceName.SANDBOX,
) -> dict[str, float]:
    """By part; those of which nothing is known are left out.

    Args:
        parts: that will run.
        profile: how much of each.
        stored: what was measured here before, by part. A run that failed says nothing about how long it takes.
        place: where they will run.
    """
    takes = {part.name: part.takes_in_kind if place is PlaceName.KIND else part.takes for part in parts}
    found = {name: float(seconds[profile]) for name, seconds in takes.items() if profile in seconds}
    before = (stored[part.name] for part in parts if part.name in stored)
    return found | {
        last.part: last.seconds
        for last in before
        if last.profile is profile and last.cluster == place and last.error is None
    }


def in_words(seconds: float) -> str:
    """A rough duration."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - minutes from here on


def announcement(parts: Sequence[Part], expected: Mapping[str, float]) -> str:
    """What will run and how long it is expected to take in all; empty where nothing is known."""
    if not expected:
        return ""
    unknown = [part.name for part in parts if part.name not in expected]
    beside = f", and {', '.join(unknown)}" if unknown else ""
    each = ", ".join(f"{name} {in_words(seconds)}" for name, seconds in expected.items())
    return f"about {in_words(sum(expected.values()))} in all{beside}: {each}"
