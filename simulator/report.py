"""The results of a simulation, for scripts and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from simulator.bounds import LowerBound
from simulator.engine import Outcome
from stowplan.model.money import dollars


def as_json(seed: int, bound: LowerBound, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The contract of `stowplan simulate -o json`: dollars, and shares from 0 to 1."""
    return {
        "seed": seed,
        "lower_bound": {
            "nodes_used": bound.nodes_used,
            "cost_per_hour": dollars(bound.cost_micro_usd_per_hour),
            "node_hours_cost": dollars(bound.node_hours_micro_usd),
        },
        "policies": {name: _outcome(outcome) for name, outcome in outcomes.items()},
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "placed": outcome.placed,
        "unplaced": outcome.unplaced,
        "nodes_used": outcome.nodes_used,
        "cost_per_hour": dollars(outcome.cost_micro_usd_per_hour),
        "node_hours_cost": dollars(outcome.node_hours_micro_usd),
        "allocated": {name: round(share, 6) for name, share in outcome.allocated.items()},
        "moves": outcome.moves,
        "seconds": round(outcome.seconds, 3),
    }


def as_table(bound: LowerBound, outcomes: Mapping[str, Outcome]) -> Table:
    """A table, cheapest first among those that left the fewest pods out."""
    table = Table(title="Placement by policy", title_justify="left")
    table.add_column("policy")
    for column in (
        "placed",
        "unplaced",
        "nodes",
        "$/h",
        "node-hours $",
        "x bound",
        "CPU",
        "memory",
        "GPU",
        "moves",
        "s",
    ):
        table.add_column(column, justify="right")
    ordered = sorted(outcomes.items(), key=lambda entry: (entry[1].unplaced, entry[1].node_hours_micro_usd, entry[0]))
    for name, outcome in ordered:
        table.add_row(name, *_cells(outcome, bound))
    table.add_section()
    table.add_row(
        "lower bound",
        "",
        "",
        f"{bound.nodes_used:,}",
        f"{dollars(bound.cost_micro_usd_per_hour):,.2f}",
        f"{dollars(bound.node_hours_micro_usd):,.2f}",
        style="dim",
    )
    table.caption = "Nodes: most in use at once. CPU, memory, GPU: mean share of the capacity requested. The bound places every pod."
    table.caption_justify = "left"
    return table


def _cells(outcome: Outcome, bound: LowerBound) -> list[str]:
    ratio = outcome.node_hours_micro_usd / bound.node_hours_micro_usd if bound.node_hours_micro_usd else 0.0
    shares = [f"{outcome.allocated[name]:.1%}" if outcome.allocated[name] else "-" for name in ("cpu", "memory", "gpu")]
    return [
        f"{outcome.placed:,}",
        f"{outcome.unplaced:,}",
        f"{outcome.nodes_used:,}",
        f"{dollars(outcome.cost_micro_usd_per_hour):,.2f}",
        f"{dollars(outcome.node_hours_micro_usd):,.2f}",
        f"{ratio:.3f}" if ratio and not outcome.unplaced else "-",
        *shares,
        str(outcome.moves),
        f"{outcome.seconds:.1f}",
    ]
