"""Where words stand in a figure: labels of points that lie close together, and the ticks of logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_DECADES_WITH_STEPS: Final = 2
_TINY: Final = 1e-12
"""For what is zero on a logarithmic axis."""
_SAME_PLACE: Final = 0.02
"""In shares of a figure's width and height."""
_WORD: Final = (0.16, 0.09)
"""Width and height of a label, in the same shares."""
_LONG: Final = 20
"""Characters of a label that runs out of the figure on the right half."""
_SIDES: Final = ("top right", "bottom right", "top left", "bottom left")


def logarithmic_axis(values: Sequence[float]) -> dict[str, Any]:
    """An axis with ticks that people read: 1, 2, 5, 10, ... times a power of ten; the powers alone where that would be many."""
    positive = [value for value in values if value > 0]
    if not positive:
        return {"type": "log"}
    lowest, highest = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    steps = (1, 2, 5) if highest - lowest <= _DECADES_WITH_STEPS else (1,)
    ticks = [step * 10.0**power for power in range(lowest, highest + 1) for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks]}


def placed_labels(
    points: Mapping[str, tuple[float, float]], others: Iterable[tuple[float, float]] = (), *, logarithmic_x: bool
) -> list[tuple[str, str]]:
    """For every point its label and on which side of it that stands.

    Points at one place share the label of the first; neighbours have theirs on different sides.

    Args:
        points: by name.
        others: that the figure shows as well, without labels.
        logarithmic_x: whether the figure's x axis is.
    """
    everything = _relative([*points.values(), *others], logarithmic_x=logarithmic_x)
    at, leftmost = everything[: len(points)], min((x for x, _ in everything), default=0.0)
    labels: list[list[str]] = [[] for _ in at]
    for number, name in enumerate(points):
        first = next(other for other in range(number + 1) if math.dist(at[number], at[other]) < _SAME_PLACE)
        labels[first].append(name)
    placed = []
    for number, names in enumerate(labels):
        before = sum(bool(labels[other]) and _touch(at[number], at[other]) for other in range(number))
        label, side = ", ".join(names), _SIDES[before % len(_SIDES)]
        runs_out = len(label) > _LONG and at[number][0] - leftmost > 0.5  # noqa: PLR2004 - the right half
        placed.append((label, side.replace("right", "left") if runs_out else side))
    return placed


def _touch(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two labels on the same side of these points would lie upon each other."""
    return all(abs(a - b) < size for a, b, size in zip(one, other, _WORD, strict=True))


def _relative(points: Sequence[tuple[float, float]], *, logarithmic_x: bool) -> list[tuple[float, float]]:
    """The points in shares of the width and height that they span."""
    xs = [math.log10(max(x, _TINY)) if logarithmic_x else x for x, _ in points]
    ys = [y for _, y in points]
    width, height = (max(values, default=0.0) - min(values, default=0.0) or 1.0 for values in (xs, ys))
    return [(x / width, y / height) for x, y in zip(xs, ys, strict=True)]


def shared_labels(points: Mapping[str, Sequence[tuple[float, float, str]]]) -> dict[str, list[str]]:
    """Labels of points `(x, y, label)` by series: one that several have stands once, over the highest of its points."""
    highest: dict[str, tuple[float, str, int]] = {}
    for name, group in points.items():
        for number, (_, y, label) in enumerate(group):
            if label not in highest or y > highest[label][0]:
                highest[label] = (y, name, number)
    return {
        name: [label if highest[label][1:] == (name, number) else "" for number, (_, _, label) in enumerate(group)]
        for name, group in points.items()
    }
