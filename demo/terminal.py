"""The final table and sentences for people at a terminal."""

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.headline import headline
from demo.metrics import Latency
from demo.result import DemoResult, RunResult

_NONE = "–"  # noqa: RUF001 - an en dash is what a table shows for "does not apply"


def show(result: DemoResult, console: Console) -> None:
    """Print table, unplaced pods with their reasons, the story of one pod and the headline."""
    console.print(table(result.runs))
    for name, run in result.runs.items():
        for entry in run.unplaced_pods:
            reason = entry.reason or "NO REASON KNOWN"
            console.print(
                f"[yellow]{escape(name)}: {entry.pods} pods of {escape(entry.workload)} unplaced: {escape(reason)}"
            )
    for run in result.runs.values():
        if run.story is not None:
            console.print(f"\n[bold]Why is pod {escape(run.story.pod)} as it is?")
            console.print(f"  size  {escape(run.story.size)}", highlight=False)
            console.print(f"  node  {escape(run.story.placement)}", highlight=False)
    console.print(f"\n[bold]{escape(headline(result))}")


def table(runs: Mapping[str, RunResult]) -> Table:
    """One column per run."""
    grid = Table(title="One trace, one node set, real API server and kube-scheduler", title_justify="left")
    grid.add_column("")
    for name in runs:
        grid.add_column(escape(name), justify="right")
    for label, cell in ROWS:
        grid.add_row(label, *(cell(run) for run in runs.values()))
    return grid


def decisions(run: RunResult) -> str:
    """How often the extender named a planned node, how often the best fit, how often none."""
    if not run.decisions:
        return _NONE
    named = [run.decisions.get(name, 0) for name in ("planned", "greedy")]
    return " / ".join(str(count) for count in (*named, sum(run.decisions.values()) - sum(named)))


def latency(value: Latency | None) -> str:
    """p50 / p99 in milliseconds."""
    return _NONE if value is None else f"{value.p50:.1f} / {value.p99:.1f} ms"


ROWS: tuple[tuple[str, Callable[[RunResult], str]], ...] = (
    ("pods placed", lambda run: f"{run.placed} of {run.pods}"),
    ("unplaced", lambda run: str(run.unplaced)),
    ("nodes in use, mean", lambda run: f"{run.mean_nodes_used:.1f}"),
    ("nodes in use, at the end", lambda run: str(run.nodes_used)),
    ("$/h, mean over the window", lambda run: f"{run.mean_cost_per_hour:.2f}"),
    ("$/h, at the end", lambda run: f"{run.cost_per_hour:.2f}"),
    ("$/h no packing can beat, mean", lambda run: f"{run.mean_lower_bound_per_hour:.2f}"),
    ("webhook p50 / p99", lambda run: latency(run.webhook_ms)),
    ("  as the API server sees it", lambda run: latency(run.admission_ms)),
    ("extender p50 / p99", lambda run: latency(run.extender_ms)),
    ("  sent by plan / best fit / left alone", decisions),
    ("pod created to bound p50 / p99", lambda run: latency(run.scheduling_ms)),
    ("pods scheduled per second", lambda run: f"{run.pods_per_second:.0f}"),
)
"""Label and cell of every line; the report shows the same."""
