"""The frontier as a picture: what is requested against what is risked, ours as a curve and every other strategy as a point."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly ships no types
from plotly.subplots import make_subplots  # type: ignore[import-untyped]  # as above

AXES: Final = {
    "cpu": ("unmet", "unmet demand (share of use)", "core-hours"),
    "memory": ("breach_days", "breach days", "GiB-hours"),
}


def write_plot(result: dict[str, Any], path: Path) -> None:
    """Write a self-contained HTML page with one panel per resource, from the result of a replay."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=["CPU", "Memory"])
    for column, (resource, (measure, label, unit)) in enumerate(AXES.items(), start=1):
        for name, frontier in result.get("frontier", {}).items():
            points = frontier[resource]
            figure.add_trace(
                go.Scatter(
                    x=[point[measure] for point in points],
                    y=[point["requested"] for point in points],
                    text=[f"risk {point['risk']}" for point in points],
                    mode="lines+markers",
                    name=f"{name} ({resource})",
                ),
                row=1,
                col=column,
            )
        for name, measures in result["strategies"].items():
            of = measures[resource]
            if of["requested"]:
                figure.add_trace(
                    go.Scatter(
                        x=[of[measure]],
                        y=[of["requested"]],
                        mode="markers+text",
                        text=[name],
                        textposition="top center",
                        name=name,
                    ),
                    row=1,
                    col=column,
                )
        figure.update_xaxes(title_text=label, row=1, col=column)
        figure.update_yaxes(title_text=f"requested {unit}", row=1, col=column)
    figure.update_layout(title="Requested against risked, on days that were not learned from", showlegend=False)
    path.write_text(figure.to_html(include_plotlyjs=True), encoding="utf-8")
