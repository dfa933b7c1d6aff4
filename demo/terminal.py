"""The final table and sentences for people at a terminal."""

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.environment import Variant
from demo.headline import headline
from demo.metrics import Latency
from demo.result import DemoResult, RunResult

_NONE = "-"
_WHOLE_FROM = 20.0
"""Milliseconds from which a tenth is noise."""


def show(result: DemoResult, console: Console) -> None:
    """Print table, unplaced pods with their reasons, the story of one pod and the headline."""
    console.print(table(result.runs))
    risks = risk_table(result.runs)
    if risks is not None:
        console.print(risks)
    for name, run in result.runs.items():
        for entry in run.unplaced_pods:
            reason = entry.reason or "NO REASON KNOWN"
            line = f"{name}: {entry.pods} pods of {entry.workload} unplaced: {reason}"
            console.print(line, style="yellow", markup=False, highlight=False)
    for run in result.runs.values():
        if run.story is not None:
            console.print(f"\n[bold]Why is pod {escape(run.story.pod)} as it is?", highlight=False)
            console.print(f"size: {run.story.size}", markup=False, highlight=False)
            console.print(f"node: {run.story.placement}", markup=False, highlight=False)
    console.print(f"\n[bold]{escape(headline(result))}", highlight=False)


def table(runs: Mapping[str, RunResult]) -> Table:
    """One column per run."""
    grid = Table(title="Same pods, same nodes, same order; latencies are p50 / p99", title_justify="left")
    grid.add_column("")
    for name in runs:
        grid.add_column(escape(name), justify="right")
    for label, cell in ROWS:
        grid.add_row(label, *(cell(run) for run in runs.values()))
    return grid


def sizes_compared(runs: Mapping[str, RunResult]) -> tuple[RunResult | None, RunResult] | None:
    """A run with the users' own sizes, if there is one, and one with learned sizes; None where nothing was learned."""
    learned = next((run for name, run in runs.items() if Variant(name).learns and run.risk), None)
    if learned is None:
        return None
    return next((run for name, run in runs.items() if not Variant(name).learns), None), learned


def risk_table(runs: Mapping[str, RunResult]) -> Table | None:
    """By class, the users' own sizes beside the learned ones; None where nothing was learned."""
    compared = sizes_compared(runs)
    if compared is None:
        return None
    own, learned = compared
    grid = Table(
        title="CPU asked for, and the risk taken (judged on the day after the learned ones)", title_justify="left"
    )
    for title in (
        "class",
        "cores used",
        "asked",
        "learned",
        "over, declared",
        "achieved",
        "unmet, declared",
        "achieved",
        "within",
    ):
        grid.add_column(title, justify="left" if title == "class" else "right")
    for name, risk in learned.risk.items():
        before = own.risk.get(name) if own is not None else None
        grid.add_row(
            name,
            f"{risk.used_cores:.0f}",
            _NONE if before is None else f"{before.requested_cores:.0f}",
            f"{risk.requested_cores:.0f}",
            f"{risk.declared_overrun:.0%}",
            f"{risk.overrun_share:.1%}",
            f"{risk.declared_unmet:.0%}",
            f"{risk.unmet:.1%}",
            f"{risk.within:.0%}",
        )
    return grid


def decisions(run: RunResult) -> str:
    """How often the extender named a planned node, how often the best fit, how often none."""
    if not run.decisions:
        return _NONE
    named = [run.decisions.get(name, 0) for name in ("planned", "greedy")]
    return " / ".join(str(count) for count in (*named, sum(run.decisions.values()) - sum(named)))


def latency(value: Latency | None) -> str:
    """p50 / p99 in milliseconds, without a unit."""
    return _NONE if value is None else f"{_milliseconds(value.p50)} / {_milliseconds(value.p99)}"


def _milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < _WHOLE_FROM else f"{value:.0f}"


ROWS: tuple[tuple[str, Callable[[RunResult], str]], ...] = (
    ("pods placed", lambda run: f"{run.placed} of {run.pods}"),
    ("unplaced", lambda run: str(run.unplaced)),
    ("nodes in use, mean", lambda run: f"{run.mean_nodes_used:.1f}"),
    ("nodes in use, at the end", lambda run: str(run.end_nodes_used)),
    ("$/h, mean", lambda run: f"{run.cost_per_hour:.2f}"),
    ("$/h, at the end", lambda run: f"{run.end_cost_per_hour:.2f}"),
    ("$/h, lower bound, mean", lambda run: f"{run.lower_bound_per_hour:.2f}"),
    ("cores requested, mean", lambda run: f"{run.requested_cores:.0f}"),
    ("webhook, ms", lambda run: latency(run.webhook_ms)),
    ("  as the API server sees", lambda run: latency(run.admission_ms)),
    ("extender, ms", lambda run: latency(run.extender_ms)),
    ("  plan / best fit / none", decisions),
    ("created to bound, ms", lambda run: latency(run.scheduling_ms)),
    ("pods bound per second", lambda run: f"{run.pods_per_second:.0f}"),
)
"""Label and cell of every line; the report shows the same. Latencies are p50 / p99. Made for 80 columns with three runs."""
