"""Right-sizing on recorded usage, against VPA and KRR at equal risk."""

from __future__ import annotations

import json
from typing import Any

from perf.part import Context, Data, Part, takes
from perf.report.figures import Figure, bars, curves, scatter
from perf.report.section import Plot, Section, Table
from perf.sizing import live_fleet
from perf.sizing.measure import measure_all
from perf.sizing.scale import measured_apart
from perf.sizing.targets import OVERRUNS


def _measure(context: Context) -> Data:
    result = measure_all(context.traces, context.progress.update)
    if not context.short:
        context.progress.update("10,000 workloads")
        result["scale"] = json.loads(measured_apart())
        result["live_fleet"] = json.loads(live_fleet.measured_apart())
    return result


def _section(data: Data) -> Section:
    traces: dict[str, Any] = data["traces"]
    sample = "the shipped samples, which are too small for the targets" if data["sample"] else "the whole recordings"
    return Section(
        "Right-sizing",
        f"Recorded usage of {', '.join(traces)} ({sample}), replayed day by day: cores and memory requested at the risk that a "
        "baseline takes, on days that nothing was learned from.",
        [
            Plot(
                "CPU requested less than the baseline at the baseline's own unmet demand; above zero is cheaper.",
                bars(list(traces), _savings(traces, "cpu"), "saved, %", reference=(5.0, "target")),
            ),
            Plot(
                "Unmet demand that each class declares and the one it had on the judged days; below the dotted line it kept its word.",
                scatter(_kept(traces), ("declared unmet demand", "achieved")),
            ),
            *(plot for name, trace in traces.items() for plot in _frontiers(name, trace)),
        ],
        [
            _targets("CPU at equal unmet demand", traces, "cpu"),
            _targets("Memory at equal breach days", traces, "memory"),
            _calibration(traces),
            _changes(traces),
            *_scale(data),
        ],
    )


def _savings(traces: dict[str, Any], resource: str) -> dict[str, list[float | None]]:
    return {
        baseline: [_percent(trace["targets"][baseline][resource]) for trace in traces.values()]
        for baseline in ("vpa", "krr")
    }


def _percent(target: dict[str, Any] | None) -> float | None:
    return None if target is None or "saving" not in target else 100 * float(target["saving"])


def _targets(title: str, traces: dict[str, Any], resource: str) -> Table:
    rows = []
    for name, trace in traces.items():
        for baseline, found in trace["targets"].items():
            target = found[resource]
            if target is None:
                continue
            saving = _percent(target)
            reached = target["reached"] or {}
            bounds = (_interval(found), _best_rule(found), _hindsight(found["hindsight_saving"]))
            theirs = target["baseline"]
            shown = "not reached" if saving is None else f"{saving:.1f} %"
            rows.append(
                (
                    f"{name} / {baseline}",
                    shown,
                    _risks(reached, resource),
                    _risks(theirs, resource),
                    _met(target),
                    *(bounds if resource == "cpu" else ()),
                )
            )
    risk_title = "overrun share (mean / 95th percentile)" if resource == "cpu" else "breach days"
    bounded = ("95 % interval", "best rule in hindsight", "bound, period / day") if resource == "cpu" else ()
    return Table(title, ("trace / baseline", "saved", f"{risk_title}, ours", "theirs", "5 % target", *bounded), rows)


def _risks(measures: dict[str, Any], resource: str) -> str:
    keys = OVERRUNS if resource == "cpu" else ("breach_days",)
    return " / ".join(f"{measures[key]:.4g}" if key in measures else "-" for key in keys)


def _interval(found: dict[str, Any]) -> str:
    """Of the saving, had other containers and days of the same kind been recorded."""
    drawn = found["cpu_uncertainty"]
    interval = (drawn["both"] if "both" in drawn else drawn["containers"])["interval_95"]
    return "-" if interval is None else " to ".join(f"{100 * end:.0f} %" for end in interval)


def _best_rule(found: dict[str, Any]) -> str:
    """What the best of a family of rules saves that is chosen knowing the judged days."""
    saving = found["best_rule_in_hindsight"]["saving"]
    return "-" if saving is None else f"{100 * saving:.1f} %"


def _hindsight(bounds: dict[str, dict[str, float]]) -> str:
    """The most that anybody can save knowing the judged period, and knowing each day."""
    return " / ".join(f"{100 * bounds[kind]['both bounds']:.1f} %" for kind in ("one request", "each day"))


def _frontiers(name: str, trace: dict[str, Any]) -> list[Plot]:
    """Requested against risked: our curve for each baseline's setting, the baselines and the classes as points."""
    plots = [
        Plot(
            f"{name}: core-hours requested at each unmet demand; left and below is better.",
            _frontier(trace, "cpu", "unmet", ("unmet demand, share of use", "core-hours")),
        )
    ]
    if any(found["memory"] for found in trace["targets"].values()):
        plots.append(
            Plot(
                f"{name}: GiB-hours requested at each number of breach days; left and below is better.",
                _frontier(trace, "memory", "breach_days", ("breach days", "GiB-hours")),
            )
        )
    return plots


def _frontier(trace: dict[str, Any], resource: str, risk: str, titles: tuple[str, str]) -> Figure:
    lines = {
        f"stowplan, against {baseline}": [(p[risk], p["requested"]) for p in found["frontier"][resource]]
        for baseline, found in trace["targets"].items()
    }
    if resource == "memory":  # the same against both
        lines = {"stowplan": next(iter(lines.values()))}
    points = {
        name: (found[resource]["baseline"][risk], found[resource]["baseline"]["requested"])
        for name, found in trace["targets"].items()
    }
    points |= {
        f"stowplan/{wclass}": (found[resource][risk], found[resource]["requested"])
        for wclass, found in trace["classes"].items()
    }
    return curves(lines, points, titles, logarithmic_x=all(x > 0 for x, _ in points.values()))


def _changes(traces: dict[str, Any]) -> Table:
    classes = list(next(iter(traces.values()))["classes"])
    rows = []
    for name, trace in traces.items():
        found = [trace["targets"]["vpa"], trace["targets"]["krr"], *(trace["classes"][c] for c in classes)]
        changes = [of["changes_per_workload_day"] for of in found]
        rows.append((name, *("-" if change is None else f"{change:.2f}" for change in changes)))
    return Table("Changes of requests per workload-day", ("trace", "vpa", "krr", *classes), rows)


def _met(target: dict[str, Any]) -> str:
    return "met" if target["met"] else "missed"


def _kept(traces: dict[str, Any]) -> dict[str, list[tuple[float, float, str]]]:
    return {
        name: [
            (found["calibration"]["declared"]["unmet"], found["cpu"]["unmet"], wclass)
            for wclass, found in trace["classes"].items()
        ]
        for name, trace in traces.items()
    }


def _calibration(traces: dict[str, Any]) -> Table:
    classes = list(next(iter(traces.values()))["classes"])
    rows = [(name, *(_within(trace["classes"][wclass]) for wclass in classes)) for name, trace in traces.items()]
    return Table("Containers within the declared risk, CPU / memory", ("trace", *classes), rows)


def _within(found: dict[str, Any]) -> str:
    within = found["calibration"]["within"]
    return " / ".join("-" if within.get(r) is None else f"{within[r]:.0%}" for r in ("cpu", "memory"))


def _scale(data: Data) -> list[Table]:
    if "scale" not in data:
        return []
    scale = data["scale"]
    row = (str(scale["containers"]), f"{scale['cpu_seconds']:.1f}", f"{scale['seconds']:.1f}", str(scale["peak_mib"]))
    passes = Table("A full pass under one class", ("containers", "CPU seconds", "seconds", "peak MiB"), [row])
    return [passes, *_live(data)]


def _live(data: Data) -> list[Table]:
    if "live_fleet" not in data:
        return []
    live = data["live_fleet"]
    parts = {
        "a minute of samples taken in": "take_in_a_minute",
        "a pass under five classes": "pass",
        "all open-day checkpoints": "all_shards",
        "a day closed": "close_day",
    }
    rows = [(name, f"{live[key]['cpu_seconds']:.1f}", f"{live[key]['seconds']:.1f}") for name, key in parts.items()]
    title = (
        f"The live recommender: {live['containers']} containers, peak {live['peak_mib']} MiB, open-day checkpoints of"
        f" {live['shard_bytes_total'] / 2**20:.1f} MiB"
    )
    return [Table(title, ("what", "CPU seconds", "seconds"), rows)]


PART = Part("sizing", _measure, _section, takes=takes(4, 30))
