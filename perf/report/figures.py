"""Figures as plain Plotly JSON, in one style: ours in the accent colour, every baseline in a colour of its own."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from perf.report.labels import logarithmic_axis, placed_labels, shared_labels

Figure = dict[str, Any]

OURS: Final = "#12a594"
_OURS_NAME: Final = "stowplan"
_NAMED: Final = {
    "stock": "#8b93a7",
    "stock-all": "#b9bfcc",
    "stock, every node": "#b9bfcc",
    "baseline": "#8b93a7",
    "narrow": OURS,
    "narrow-all": "#0b6b60",
    "stowplan, every node": "#0b6b60",
    "prioritize": "#5b8def",
    "both": "#3a5ba8",
    "nominate": "#7c6fd6",
    "gates": "#d98f2b",
    "trivial extender": "#c2607f",
    "trivial extender, every node": "#e0a3b6",
    "least-allocated": "#8b93a7",
    "most-allocated": "#d98f2b",
    "first-fit-decreasing": "#7c6fd6",
    "fgd": "#3f8fb5",
    "random": "#b8a07e",
    "dot-product": "#c2607f",
    "vpa": "#d98f2b",
    "krr": "#7c6fd6",
}
_OTHERS: Final = ("#5b8def", "#c2607f", "#9a8c3c", "#7c6fd6", "#d98f2b", "#3f8fb5", "#b0b6c3")
_REFERENCE: Final = "#9aa0ac"
_MARGIN: Final = {"l": 62, "r": 18, "t": 12, "b": 48}
_ROW_HEIGHT: Final = 34
_HEIGHT: Final = 340
_FEW_BARS: Final = 4
"""Up to so many would be planks at the usual width."""
_LONG_LABEL: Final = 32
"""Characters of a category from which bars lie."""


def colour(name: str, number: int = 0) -> str:
    """The colour of a policy or series, the same in every figure; by number where the name says nothing."""
    if name in _NAMED:
        return _NAMED[name]
    return OURS if name.startswith(_OURS_NAME) else _OTHERS[number % len(_OTHERS)]


def dots(
    samples: Mapping[str, Sequence[float]],
    title: str,
    *,
    marks: Mapping[str, float] | None = None,
    mark: str = "published",
    reference: tuple[float, str] | None = None,
) -> Figure:
    """One row per name: a dot for every sample, a bar at the mean, and where known a mark to compare with.

    Args:
        samples: name -> figures of single runs.
        title: of the axis, with the unit.
        marks: name -> a figure of others.
        mark: what that figure is.
        reference: a line across all rows, and its label.
    """
    data: list[Figure] = []
    for number, (name, values) in enumerate(samples.items()):
        tint = colour(name, number)
        data.append(_points(name, values, tint))
        mean = {"symbol": "line-ns-open", "size": 22, "color": tint, "line": {"width": 3}}
        data.append(_row_marker(name, [statistics.fmean(values)], mean, "mean %{x:.4g}"))
    if marks:
        known = {name: marks[name] for name in samples if name in marks}
        diamond = {"symbol": "diamond-open", "size": 11, "color": _REFERENCE, "line": {"width": 2}}
        shown = {**_row_marker("", list(known.values()), diamond, mark + " %{x:.4g}"), "y": list(known)}
        data.append({**shown, "name": mark, "showlegend": True})
    layout = _layout(title, "", height=90 + _ROW_HEIGHT * len(samples))
    layout["yaxis"] |= {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"}
    if reference is not None:
        layout |= _vertical(*reference)
    return {"data": data, "layout": layout}


def _points(name: str, values: Sequence[float], tint: str) -> Figure:
    marker = {"size": 8, "color": tint, "opacity": 0.55}
    return _row_marker(name, list(values), marker, "%{x:.4g}")


def _row_marker(name: str, values: list[float], marker: Figure, hover: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": values,
        "y": [name] * len(values),
        "marker": marker,
        "showlegend": False,
        "hovertemplate": hover + "<extra>%{y}</extra>",
    }


def _vertical(value: float, label: str) -> Figure:
    line = {"type": "line", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1}
    note = {"x": value, "yref": "paper", "y": 1.0, "yanchor": "bottom", "text": label, "showarrow": False}
    return {"shapes": [{**line, "line": {"color": _REFERENCE, "dash": "dot"}}], "annotations": [note]}


def bars(
    categories: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    title: str,
    *,
    reference: tuple[float, str] | None = None,
) -> Figure:
    """Grouped bars: one group per category, one bar per series; a reference is a line across."""
    across = max(map(len, categories), default=0) > _LONG_LABEL
    data = [
        _bar(categories, values, name, colour(name, number), across=across)
        for number, (name, values) in enumerate(series.items())
    ]
    height = 120 + _ROW_HEIGHT * len(categories) * max(1, len(series)) if across else _HEIGHT
    layout = _layout(title if across else "", "" if across else title, height=height)
    gap = 0.28 if len(categories) * len(series) > _FEW_BARS else 0.6
    layout |= {"barmode": "group", "bargap": gap, "showlegend": len(series) > 1}
    layout["yaxis" if across else "xaxis"] |= {"type": "category", "automargin": True}
    if across:
        layout["yaxis"] |= {"autorange": "reversed"}
    if reference is not None:
        layout |= (_vertical if across else _horizontal)(*reference)
    return {"data": data, "layout": layout}


def _bar(categories: Sequence[str], values: Sequence[float | None], name: str, tint: str, *, across: bool) -> Figure:
    """One series; across the page where labels are too long to stand side by side."""
    length, place = ("x", "y") if across else ("y", "x")
    return {
        "type": "bar",
        "name": name,
        "orientation": "h" if across else "v",
        place: list(categories),
        length: list(values),
        "marker": {"color": tint},
        "hovertemplate": f"%{{{length}:.4g}}<extra>{name}</extra>",
    }


def _horizontal(value: float, label: str) -> Figure:
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}
    note = {"xref": "paper", "x": 1, "y": value, "xanchor": "right", "yanchor": "bottom", "text": label}
    return {
        "shapes": [{**line, "line": {"color": _REFERENCE, "dash": "dot"}}],
        "annotations": [{**note, "showarrow": False}],
    }


def lines(
    xs: Sequence[float] | Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    titles: tuple[str, str],
    *,
    logarithmic: bool = False,
    reference: tuple[float, str] | None = None,
) -> Figure:
    """One line per series, with its points. Both axes are logarithmic where asked: growth in proportion is then a slope of one."""
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": list(xs),
            "y": list(values),
            "line": {"color": colour(name, number), "width": 2.5},
            "marker": {"size": 7},
            "hovertemplate": "%{y:.4g}<extra>" + name + "</extra>",
        }
        for number, (name, values) in enumerate(series.items())
    ]
    layout = _layout(*titles)
    layout["showlegend"] = len(series) > 1
    if logarithmic:
        layout["xaxis"] |= logarithmic_axis([x for x in xs if isinstance(x, (int, float))])
        layout["yaxis"] |= logarithmic_axis([y for values in series.values() for y in values if y is not None])
        layout["yaxis"] |= {"rangemode": "normal"}
    if reference is not None:
        layout |= _horizontal(*reference)
    return {"data": data, "layout": layout}


def scatter(points: Mapping[str, Sequence[tuple[float, float, str]]], titles: tuple[str, str]) -> Figure:
    """Points `(x, y, label)` by series, with the diagonal on which x and y are equal.

    Series share their labels: each stands once, over the highest of its points.
    """
    texts = shared_labels(points)
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": name,
            "x": [point[0] for point in group],
            "y": [point[1] for point in group],
            "text": texts[name],
            "textposition": "top center",
            "customdata": [point[2] for point in group],
            "marker": {"size": 10, "color": colour(name, number)},
            "hovertemplate": "%{customdata}: %{x:.4g}, %{y:.4g}<extra>" + name + "</extra>",
        }
        for number, (name, group) in enumerate(points.items())
    ]
    highest = max((max(x, y) for group in points.values() for x, y, _ in group), default=1.0)
    layout = _layout(*titles)
    diagonal = {"type": "line", "x0": 0, "y0": 0, "x1": highest, "y1": highest}
    layout["shapes"] = [{**diagonal, "line": {"color": _REFERENCE, "dash": "dot"}}]
    return {"data": data, "layout": layout}


def curves(
    found: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, tuple[float, float]],
    titles: tuple[str, str],
    *,
    logarithmic_x: bool = False,
) -> Figure:
    """Curves of `(x, y)` by name, and single points with their names beside them: a frontier and what others reach."""
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [x for x, _ in line],
            "y": [y for _, y in line],
            "line": {"color": OURS, "width": 2.5, "dash": ("solid", "dash", "dot")[number % 3]},
            "marker": {"size": 6},
            "hovertemplate": "%{x:.4g}, %{y:.4g}<extra>" + name + "</extra>",
        }
        for number, (name, line) in enumerate(found.items())
    ]
    beside = [point for line in found.values() for point in line]
    # The colour tells ours from others; the rest of the name is enough.
    named = {name.removeprefix(f"{_OURS_NAME}/"): point for name, point in points.items()}
    placed = placed_labels(named, beside, logarithmic_x=logarithmic_x)
    data.append(
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [x for x, _ in points.values()],
            "y": [y for _, y in points.values()],
            "text": [label for label, _ in placed],
            "textposition": [side for _, side in placed],
            "customdata": list(points),
            "cliponaxis": False,
            "marker": {"size": 11, "color": [colour(name, number) for number, name in enumerate(points)]},
            "hovertemplate": "%{customdata}: %{x:.4g}, %{y:.4g}<extra></extra>",
            "showlegend": False,
        }
    )
    layout = _layout(*titles)
    if logarithmic_x:
        layout["xaxis"] |= logarithmic_axis(
            [*(x for line in found.values() for x, _ in line), *(x for x, _ in points.values())]
        )
    return {"data": data, "layout": layout}


def _layout(x_title: str, y_title: str, *, height: int = _HEIGHT) -> Figure:
    return {
        "height": height,
        "margin": _MARGIN,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"title": {"text": x_title}, "zeroline": False},
        "yaxis": {"title": {"text": y_title}, "zeroline": False, "rangemode": "tozero", "automargin": True},
    }
