"""The report's figures as plain Plotly JSON. Colours that depend on light or dark are set by the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from demo.result import NodeFill, RunResult

Figure = dict[str, Any]

RUN_COLOURS = {
    "stock": "#8b93a7",
    "most-allocated": "#d98f2b",
    "right-sized": "#5b8def",
    "packed": "#b565a7",
    "stowplan": "#12a594",
}
_OTHER_COLOUR = "#7c6fd6"
_BOUND_COLOUR = "#9aa0ac"
_PRICE_SCALE = [[0.0, "#9ad9c9"], [0.5, "#3f8fb5"], [1.0, "#3b3a7a"]]
_MARGIN = {"l": 56, "r": 16, "t": 12, "b": 44}


def colour_of(run: str) -> str:
    """The colour of a run, the same in every figure."""
    return RUN_COLOURS.get(run, _OTHER_COLOUR)


def cost_over_time(runs: Mapping[str, RunResult]) -> Figure:
    """$/h of the nodes in use, one step line per run, and the bound that no packing can beat."""
    traces = [
        _steps(name, run, [sample.cost_per_hour for sample in run.timeline], "$%{y:.2f}/h")
        for name, run in runs.items()
    ]
    reference = runs.get("stowplan") or next(iter(runs.values()))
    bound = _steps("no packing can be cheaper", reference, [s.lower_bound for s in reference.timeline], "$%{y:.2f}/h")
    bound["line"] = {"color": _BOUND_COLOUR, "width": 1.5, "dash": "dot", "shape": "hv"}
    return _over_time([*traces, bound], "$/h of nodes in use")


def nodes_over_time(runs: Mapping[str, RunResult]) -> Figure:
    """Non-empty nodes, one step line per run."""
    traces = [_steps(name, run, [sample.nodes for sample in run.timeline], "%{y} nodes") for name, run in runs.items()]
    return _over_time(traces, "nodes in use")


def requests_by_class(own: RunResult | None, learned: RunResult) -> Figure:
    """Cores by class: asked for by users, learned, and used."""
    classes = list(learned.risk)
    bars = {"learned": [learned.risk[name].requested_cores for name in classes]}
    if own is not None:
        bars = {
            "asked by users": [own.risk[name].requested_cores if name in own.risk else 0 for name in classes],
            **bars,
        }
    bars["used, mean"] = [learned.risk[name].used_cores for name in classes]
    colours = {"asked by users": RUN_COLOURS["stock"], "learned": RUN_COLOURS["stowplan"], "used, mean": _BOUND_COLOUR}
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": classes,
            "y": values,
            "marker": {"color": colours[name]},
            "hovertemplate": "%{y:.0f} cores",
        }
        for name, values in bars.items()
    ]
    layout = {
        "height": 320,
        "barmode": "group",
        "margin": _MARGIN,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"showgrid": False},
        "yaxis": {"title": {"text": "cores"}, "rangemode": "tozero", "zeroline": False},
    }
    return {"data": traces, "layout": layout}


def node_fill(fills: Sequence[NodeFill]) -> Figure:
    """Every node at the end of the window: CPU requested upwards, memory downwards, coloured by the node's price."""
    prices = [fill.cost_per_hour for fill in fills]
    marker = {
        "color": prices,
        "colorscale": _PRICE_SCALE,
        "cmin": 0.3,
        "cmax": 1.6,
        "line": {"width": 0},
    }
    positions = list(range(1, len(fills) + 1))
    notes = [
        f"{fill.name} · {fill.zone}<br>${fill.cost_per_hour:.3f}/h · {fill.pods} pods<br>"
        f"CPU {fill.cpu:.0%} · memory {fill.memory:.0%}"
        for fill in fills
    ]
    common: Figure = {
        "type": "bar",
        "x": positions,
        "customdata": notes,
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    up = {**common, "y": [100 * fill.cpu for fill in fills], "marker": marker}
    down = {**common, "y": [-100 * fill.memory for fill in fills], "marker": {**marker, "opacity": 0.55}}
    layout = {
        "barmode": "relative",
        "bargap": 0.12,
        "height": 300,
        "showlegend": False,
        "margin": {**_MARGIN, "l": 66, "b": 50, "r": 8},
        "xaxis": {"title": {"text": "nodes, fullest first"}, "showgrid": False, "range": [0.3, len(fills) + 0.7]},
        "yaxis": {
            "range": [-105, 105],
            "tickvals": [-100, -50, 0, 50, 100],
            "ticktext": ["100 %", "50 %", "0", "50 %", "100 %"],
            "title": {"text": "memory ↓   CPU ↑", "standoff": 6},
        },
    }
    return {"data": [up, down], "layout": layout}


def _steps(name: str, run: RunResult, values: Sequence[float], hover: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [sample.trace_hours for sample in run.timeline],
        "y": list(values),
        "line": {"color": colour_of(name), "width": 3 if name == "stowplan" else 2, "shape": "hv"},
        "hovertemplate": hover,
    }


def _over_time(traces: Sequence[Figure], unit: str) -> Figure:
    layout = {
        "height": 340,
        "margin": _MARGIN,
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"title": {"text": "hours of the trace"}, "showgrid": False, "zeroline": False},
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "zeroline": False},
    }
    return {"data": list(traces), "layout": layout}
