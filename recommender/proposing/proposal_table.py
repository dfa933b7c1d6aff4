"""The table of `stowplan recommend`: one row per workload, current -> recommended for one pod, the saving of all pods a month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from rich.text import Text

from recommender.proposing.proposals import HOURS_PER_MONTH, Proposal, totals
from stowplan.model.money import dollars
from stowplan.model.profile import WorkloadMode
from stowplan.model.quantity import format_cpu

_SHORT_KINDS: Final = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "ReplicaSet": "rs",
    "CronJob": "cj",
    "Job": "job",
    "Pod": "po",
}
"""kubectl's short names."""
_GIB: Final = 2**30
_MIB: Final = 2**20
_TENTHS_BELOW: Final = 10 * _GIB
_NEVER_ABOVE: Final = 999
_USED_UP: Final = 1.0
WIDE: Final = 120
"""Columns from which on cost and source are shown."""
_ROOMY: Final = 90
_LEAST_NAME: Final = 10


def table(proposals: Sequence[Proposal], width: int, *, with_namespace: bool) -> Table:
    """Rows in the order given, with the totals below, for a terminal of so many columns.

    Numbers are never cut. What gives way is, in this order: cost and source (below WIDE columns), then the end of long names.
    """
    columns = [column for column in _columns(proposals, with_namespace) if width >= WIDE or not column.wide_only]
    widths = [max(len(column.heading), len(column.footer), *(len(cell) for cell in column.cells)) for column in columns]
    gap = 2 if width >= _ROOMY else 1
    left = max(_LEAST_NAME, width - sum(widths[1:]) - gap * (len(columns) - 1))
    found = Table(
        box=None, pad_edge=False, padding=(0, gap, 0, 0), show_footer=True, header_style="bold", footer_style="bold"
    )
    for column, needed in zip(columns, [min(left, widths[0]), *widths[1:]], strict=True):
        found.add_column(
            column.heading,
            column.footer,
            justify="right" if column.right else "left",
            width=needed,
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        found.add_row(*row)
    return found


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    cells: list[Text]
    footer: str = ""
    right: bool = False
    wide_only: bool = False


def _columns(proposals: Sequence[Proposal], with_namespace: bool) -> list[_Column]:
    sums = totals(proposals)
    now, then = sums["current"], sums["recommended"]
    return [
        _Column("WORKLOAD", [_name(p, with_namespace) for p in proposals], _counted(sums["workloads"], "workload")),
        _Column("CLASS", [Text(p.recommendation.workload_class if p.recommendation else "-") for p in proposals]),
        _Column(
            "COST", [Text(str(p.recommendation.cost) if p.recommendation else "-") for p in proposals], wide_only=True
        ),
        _Column("PODS", [Text(str(p.replicas or "-")) for p in proposals], right=True),
        _Column(
            "CPU",
            [Text(_pair(_optional_cores(p.current("cpu")), _optional_cores(p.recommended("cpu")))) for p in proposals],
            _pair(_cores(now["cpu_millicores"]), _cores(then["cpu_millicores"])),
        ),
        _Column(
            "MEMORY",
            [
                Text(_pair(_optional_memory(p.current("memory")), _optional_memory(p.recommended("memory"))))
                for p in proposals
            ],
            _pair(_memory(now["memory_bytes"]), _memory(then["memory_bytes"])),
        ),
        _Column("$/MONTH", [_saving(p) for p in proposals], _money(sums["saving_micro_usd_per_month"]), right=True),
        _Column("RISK", [_risk(p.risk_used) for p in proposals], right=True),
        _Column("BASIS", [_basis(p) for p in proposals]),
        _Column("SOURCE", [Text("+".join(p.sources) or "-") for p in proposals], wide_only=True),
    ]


def legend(proposals: Sequence[Proposal]) -> str:
    """What the columns mean and what is to be looked at, in a few lines below the table."""
    sums = totals(proposals)
    lines = [
        "CPU, MEMORY: requests of one pod, now->recommended; last line: all pods.",
        "$/MONTH: saved by all pods, at list prices. RISK: achieved / declared, the largest of three.",
    ]
    if sums["priced"] < sums["workloads"]:
        lines.append(f"{sums['workloads'] - sums['priced']} without a saving: no pod known, or it ends by itself.")
    lines += [f"halted: {p.name}: {p.halt.message}" for p in proposals if p.halt is not None]
    return "\n".join(lines)


def _name(of: Proposal, with_namespace: bool) -> Text:
    name = f"{_SHORT_KINDS.get(of.profile.kind, of.profile.kind.lower())}/{of.profile.name}"
    return Text(f"{of.profile.namespace}/{name}" if with_namespace else name)


def _saving(of: Proposal) -> Text:
    hourly = of.saving_micro_usd_per_hour
    return Text("-") if hourly is None else Text(_money(hourly * HOURS_PER_MONTH), style="green" if hourly > 0 else "")


def _basis(of: Proposal) -> Text:
    if of.halt is not None:
        return Text("halted", style="bold red")
    if of.recommendation is None:
        return Text("none", style="dim")
    observed = of.profile.observed_mode is WorkloadMode.OBSERVE
    return Text(f"{of.confidence or '-'}{'/observe' if observed else ''}")


def _risk(used: float | None) -> Text:
    if used is None:
        return Text("-")
    percent = f"{100 * used:.0f}%" if 100 * used <= _NEVER_ABOVE else f">{_NEVER_ABOVE}%"
    return Text(percent, style="red" if used > _USED_UP else "")


def _pair(now: str, then: str) -> str:
    return f"{now}->{then}" if now != then else now


def _optional_cores(millicores: int | None) -> str:
    return "?" if millicores is None else format_cpu(millicores)


def _optional_memory(amount: int | None) -> str:
    return "?" if amount is None else _memory(amount)


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:,.1f}"


def _memory(amount: int) -> str:
    """Short rather than exact: `384Mi`, `2.5Gi`, `1,204Gi`. The JSON has the bytes."""
    if not amount:
        return "0"
    if amount < _GIB:
        return f"{amount / _MIB:.0f}Mi"
    return f"{amount / _GIB:.1f}".removesuffix(".0") + "Gi" if amount < _TENTHS_BELOW else f"{amount / _GIB:,.0f}Gi"


def _money(micro_usd: int) -> str:
    return f"{dollars(micro_usd):,.2f}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
