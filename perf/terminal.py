"""What people see at the end of a run: tables of every part, the gates, what is broken and how to see more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from perf.gates import Direction, Status, Verdict, see_more, sentence, worst_first
from perf.report.section import Section

_COLOURS = {Status.PASSED: "green", Status.FAILED: "bold red", Status.MISSING: "bold red", Status.SKIPPED: "dim"}


def show_section(section: Section, console: Console) -> None:
    """The tables of one part."""
    console.print(f"\n[bold]{section.title}", highlight=False)
    for table in section.tables:
        shown = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
        for number, column in enumerate(table.columns):
            # folded: names that begin alike must not be cut to the same
            shown.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def show_gates(verdicts: Sequence[Verdict], console: Console) -> None:
    """Every gate that applies, the broken ones first and in words."""
    judged = [verdict for verdict in worst_first(verdicts) if verdict.status is not Status.SKIPPED]
    if not judged:
        console.print("no gate applies to what was measured")
        return
    shown = Table(title="Gates", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("gate", "", "measured", "bound", "target"):
        shown.add_column(column, justify="left" if column in ("gate", "") else "right")
    for verdict in judged:
        shown.add_row(*_row(verdict))
    console.print(shown)
    for verdict in judged:
        if verdict.broken:
            console.print(f"[bold red]BROKEN[/] {sentence(verdict)}", highlight=False, soft_wrap=True)
            console.print(f"       more: {see_more(verdict)}", highlight=False, markup=False, soft_wrap=True)


def _row(verdict: Verdict) -> tuple[str, ...]:
    gate, bound = verdict.gate, verdict.bound
    sign = "≥" if gate.direction is Direction.AT_LEAST else "≤"
    colour = _COLOURS[verdict.status]
    return (
        gate.name,
        f"[{colour}]{verdict.status}[/]",
        "" if verdict.value is None else f"{verdict.value:.4g} {gate.unit}",
        "" if bound is None else f"{sign} {bound.bound:.4g}",
        "" if gate.target is None else f"{sign} {gate.target:.4g} {'✓' if verdict.reaches_target else '✗'}",
    )


def show_summary(verdicts: Sequence[Verdict], files: Mapping[str, str], console: Console) -> None:
    """One line on the gates, and where everything is."""
    judged = [verdict for verdict in verdicts if verdict.status is not Status.SKIPPED]
    broken = sum(verdict.broken for verdict in judged)
    colour = "bold red" if broken else "bold green"
    console.print(f"[{colour}]{len(judged) - broken} of {len(judged)} gates hold", highlight=False)
    for label, path in files.items():
        console.print(f"{label:<8} {path}", highlight=False, markup=False, soft_wrap=True)
