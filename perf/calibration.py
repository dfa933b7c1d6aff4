"""Bounds out of measured runs: what to write into `gates.toml` for the figures that the history holds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from perf.gates import Bound, Direction, Gate
from perf.history import Entry, series
from perf.part import Profile

SPREADS: Final = 4.0
"""Margin in standard deviations: one false alarm in 16,000 runs if they were normal, and room for those that are not."""
LEAST_MARGIN: Final = 0.02
"""Of the mean: figures that repeat exactly still move a little with every change of the code."""
LEAST_ABSOLUTE_MARGIN: Final = 0.01
"""For figures near zero."""
_LAST: Final = 20


def bound_of(entries: Sequence[Entry], direction: Direction, command: str) -> Bound:
    """The bound that the latest runs suggest.

    Raises:
        ValueError: there is no run.
    """
    if not entries:
        raise ValueError("no run to set a bound from; measure first")
    figures = [entry.value for entry in entries[-_LAST:]]
    mean = _rounded(statistics.fmean(figures))
    spread = _rounded(statistics.stdev(figures) if len(figures) > 1 else 0.0)
    margin = _rounded(max(SPREADS * spread, LEAST_MARGIN * abs(mean), LEAST_ABSOLUTE_MARGIN))
    bound = mean - margin if direction is Direction.AT_LEAST else mean + margin
    return Bound(_rounded(bound, 6), mean, spread, len(figures), margin, entries[-1].date[:10], command)


def proposal(gates: Iterable[Gate], history: Sequence[Entry], profile: Profile) -> str:
    """TOML tables for every gate that was measured at this profile; to be looked at, then copied."""
    target = "perf-short" if profile is Profile.SHORT else "perf"
    parts = []
    for gate in gates:
        entries = series(history, gate.name, profile)
        if not entries:
            continue
        bound = bound_of(entries, gate.direction, f"make {target} PERF='--parts {gate.part}'")
        fields = (
            f"bound = {bound.bound}, mean = {bound.mean}, spread = {bound.spread}, runs = {bound.runs}, "
            f'margin = {bound.margin}, date = {bound.date}, command = "{bound.command}"'
        )
        parts.append(f"# {gate.name}\n{profile} = {{ {fields} }}\n")
    return "\n".join(parts)


def _rounded(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
