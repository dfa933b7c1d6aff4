"""The gates' figures over earlier runs, with the points where their level changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from perf.change_points import ChangePoint, change_points
from perf.gates import Direction, Gate
from perf.history import Entry, series
from perf.part import Profile
from perf.report.figures import OURS
from perf.report.section import Plot, Section, Table


@dataclass(frozen=True, slots=True)
class Trend:
    """One gate over time."""

    gate: Gate
    entries: Sequence[Entry]
    """Oldest first."""
    changes: Sequence[ChangePoint]


def trends(gates: Iterable[Gate], history: Sequence[Entry], profile: Profile) -> list[Trend]:
    """The gates that have a history, with their change points."""
    found = []
    for gate in gates:
        entries = series(history, gate.name, profile)
        if entries:
            found.append(Trend(gate, entries, change_points([entry.value for entry in entries])))
    return found


def trend_section(found: Sequence[Trend]) -> Section:
    """A plot of every gate's distance from its first level, and the changes in words."""
    return Section(
        "History",
        "Figures of earlier runs, each relative to its own mean. A change point is where the level changed for good (E-divisive, "
        "with a permutation test at 1 %), which a single noisy run does not make.",
        [Plot("One line per gate; a ring marks the first run on a new level.", _figure(found))],
        [Table("Changes of level", ("gate", "commit", "date", "before", "after", "shift", ""), _rows(found))]
        if any(trend.changes for trend in found)
        else (),
        () if any(trend.changes for trend in found) else ("No level has changed.",),
    )


def _figure(found: Sequence[Trend]) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    for trend in found:
        values = [entry.value for entry in trend.entries]
        mean = sum(values) / len(values)
        relative = [value / mean if mean else 1.0 for value in values]
        labels = [f"{entry.date} {entry.commit}" for entry in trend.entries]
        common = {"type": "scatter", "name": trend.gate.name, "hovertemplate": "%{customdata}: %{y:.3f}"}
        data.append(
            {
                **common,
                "mode": "lines+markers",
                "y": relative,
                "x": list(range(1, len(values) + 1)),
                "customdata": labels,
            }
        )
        rings = [change.index for change in trend.changes]
        if rings:
            ring = {"symbol": "circle-open", "size": 16, "color": OURS, "line": {"width": 2}}
            data.append(
                {
                    **common,
                    "mode": "markers",
                    "marker": ring,
                    "showlegend": False,
                    "x": [index + 1 for index in rings],
                    "y": [relative[index] for index in rings],
                    "customdata": [labels[index] for index in rings],
                }
            )
    layout = {
        "height": 380,
        "margin": {"l": 62, "r": 18, "t": 12, "b": 48},
        "xaxis": {"title": {"text": "run"}, "showgrid": False, "dtick": 1 if data and len(data[0]["x"]) < 30 else None},  # noqa: PLR2004
        "yaxis": {"title": {"text": "relative to the gate's mean"}},
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def _rows(found: Sequence[Trend]) -> list[tuple[str, ...]]:
    return [
        (
            trend.gate.name,
            trend.entries[change.index].commit,
            trend.entries[change.index].date,
            f"{change.before:.4g}",
            f"{change.after:.4g}",
            f"{change.shift:+.1%}",
            _verdict(trend.gate.direction, change),
        )
        for trend in found
        for change in trend.changes
    ]


def _verdict(direction: Direction, change: ChangePoint) -> str:
    better = (change.after > change.before) == (direction is Direction.AT_LEAST)
    return "better" if better else "worse"
