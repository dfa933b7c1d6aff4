"""``stowplan moves``: which nodes could be emptied into the room of others, what that saves, and, on request, doing it."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from extender.moves.consolidation import Drain, Limits, Proposal, propose
from extender.moves.draining import drain_node
from extender.moves.eviction import Evicted
from extender.moves.reading import read_cluster
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import KubeError
from stowplan.model.money import dollars

_HOURS_PER_MONTH = 730
_SHOWN_KEPT = 10


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"


class Act(StrEnum):
    """What to do beyond the report."""

    NOTHING = "nothing"
    DRY_RUN = "dry-run"
    EVICT = "evict"


def moves(
    *,
    kubeconfig: Annotated[str | None, typer.Option(help="Path of a kubeconfig; by default $KUBECONFIG.")] = None,
    drains: Annotated[int, typer.Option(min=1, help="Most nodes to empty.")] = 10,
    most_moves: Annotated[int, typer.Option("--moves", min=1, help="Most pods to move.")] = 50,
    pods_per_node: Annotated[int, typer.Option(min=1, help="A node with more pods to move stays.")] = 12,
    act: Annotated[
        Act,
        typer.Option(help="nothing: report. dry-run: ask the Eviction API what it would do. evict: cordon and evict."),
    ] = Act.NOTHING,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two evictions.")] = 5.0,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table for people, JSON for scripts.")
    ] = Output.TABLE,
) -> None:
    """Propose moves that empty nodes, within PodDisruptionBudgets and the annotations of cluster-autoscaler and Karpenter.

    Exit code 0 for a report (also an empty one), 1 where an eviction was asked for and not accepted, 2 where the cluster cannot be read.
    """
    limits = Limits(drains, pods_per_node, most_moves)
    try:
        proposal, outcomes = asyncio.run(_run(kubeconfig, limits, act, pause))
    except KubeError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    if output is Output.JSON:
        typer.echo(json.dumps(as_json(proposal, outcomes)))
    else:
        _show(proposal, outcomes)
    if not all(emptied for _, emptied, _ in outcomes):
        raise typer.Exit(1)


Acted = tuple[str, bool, list[Evicted]]
"""Node, whether it is (or could be) emptied, and what was said of each pod."""


async def _run(kubeconfig: str | None, limits: Limits, act: Act, pause: float) -> tuple[Proposal, list[Acted]]:
    async with ApiClient(Connection.resolve(kubeconfig)) as api:
        view = await read_cluster(api)
        proposal = propose(view.snapshot, view.pods, view.budgets, view.classes, limits)
        outcomes: list[Acted] = []
        for drain in proposal.drains if act is not Act.NOTHING else ():
            told: list[Evicted] = []
            emptied = await drain_node(api, drain, dry_run=act is Act.DRY_RUN, pause_seconds=pause, tell=told.append)
            outcomes.append((drain.node, emptied, told))
            if not emptied:
                break
        return proposal, outcomes


def as_json(proposal: Proposal, outcomes: list[Acted]) -> dict[str, Any]:
    """The report as JSON; money in dollars an hour."""
    return {
        "schema_version": 1,
        "saved_per_hour": dollars(proposal.saved),
        "moves": sum(len(drain.moves) for drain in proposal.drains),
        "drains": [_drain(drain) for drain in proposal.drains],
        "empty": [{"node": node, "price_per_hour": dollars(price)} for node, price in proposal.empty],
        "kept": dict(proposal.kept),
        "acted": [
            {
                "node": node,
                "emptied": emptied,
                "evictions": [
                    {
                        "namespace": one.pod.namespace,
                        "pod": one.pod.name,
                        "outcome": one.outcome.value,
                        "message": one.message,
                    }
                    for one in told
                ],
            }
            for node, emptied, told in outcomes
        ],
    }


def _drain(drain: Drain) -> dict[str, Any]:
    return {
        "node": drain.node,
        "price_per_hour": dollars(drain.price),
        "moves": [
            {"namespace": move.pod.namespace, "pod": move.pod.name, "from": move.source, "to": move.target}
            for move in drain.moves
        ],
    }


def _show(proposal: Proposal, outcomes: list[Acted]) -> None:
    console = Console(soft_wrap=True)
    table = Table(title="Nodes that could be emptied, most saved per move first")
    for column in ("node", "$/h", "moves", "pods and where they fit"):
        table.add_column(column, justify="right" if column in ("$/h", "moves") else "left")
    for drain in proposal.drains:
        where = ", ".join(f"{move.pod.namespace}/{move.pod.name} -> {move.target}" for move in drain.moves)
        table.add_row(drain.node, f"{dollars(drain.price):.3f}", str(len(drain.moves)), where)
    console.print(table)
    saved = dollars(proposal.saved)
    count = sum(len(drain.moves) for drain in proposal.drains)
    console.print(f"{count} moves would save {saved:.3f} $/h, about {saved * _HOURS_PER_MONTH:.0f} $ a month.")
    if proposal.empty:
        idle = dollars(sum(price for _, price in proposal.empty))
        console.print(f"{len(proposal.empty)} nodes are empty already ({idle:.3f} $/h): for whoever removes nodes.")
    for node, why in list(proposal.kept.items())[:_SHOWN_KEPT]:
        console.print(f"kept  {node}: {why}", highlight=False)
    if len(proposal.kept) > _SHOWN_KEPT:
        console.print(f"kept  {len(proposal.kept) - _SHOWN_KEPT} more; -o json lists them")
    for node, emptied, told in outcomes:
        console.print(f"{'emptied' if emptied else 'not emptied'}  {node}", highlight=False)
        for one in told:
            console.print(f"  {one.pod.namespace}/{one.pod.name}: {one.outcome.value} {one.message}", highlight=False)
