"""``stowplan moves``: which nodes could be emptied into the room of others, what that saves, and, on request, doing it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from extender.lifetimes.kin import keeps_nodes_in_use
from extender.moves.allowance import WatchedAllowance
from extender.moves.consolidation import Drain, Proposal, propose
from extender.moves.draining import drain_node
from extender.moves.emptying import Limits
from extender.moves.eviction import Evicted, Outcome
from extender.moves.reading import ClusterView, read_cluster
from stowplan.cli.extender_answer import Unanswered, ask
from stowplan.cli.interruption import Interrupted, is_interrupted, run
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import KubeError
from stowplan.model.money import dollars

_HOURS_PER_MONTH: Final = 730
_SECONDS_PER_HOUR: Final = 3600
_SHOWN_KEPT: Final = 10
_SIGNALLED: Final = 128
"""Added to the number of a signal it is the exit code of what that ended, as shells have it."""


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"


class Act(StrEnum):
    """What to do beyond the report."""

    NOTHING = "nothing"
    DRY_RUN = "dry-run"
    EVICT = "evict"


Acted = tuple[str, bool, list[Evicted]]
"""Node, whether it is (or could be) emptied, and what was said of each pod."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    kubeconfig: str | None
    extender: str
    limits: Limits
    act: Act
    pause_s: float
    wait_s: float


def moves(  # noqa: PLR0913 - a parameter is an option of the command line
    *,
    kubeconfig: Annotated[str | None, typer.Option(help="Path of a kubeconfig; by default $KUBECONFIG.")] = None,
    extender: Annotated[
        str,
        typer.Option(
            envvar="STOWPLAN_EXTENDER",
            help="Address of the extender, to know how long pods are expected to stay; without, all are expected to stay.",
        ),
    ] = "",
    drains: Annotated[int, typer.Option(min=1, help="Most nodes to empty.")] = 10,
    most_moves: Annotated[int, typer.Option("--moves", min=1, help="Most pods to move.")] = 50,
    pods_per_node: Annotated[int, typer.Option(min=1, help="A node with more pods to move stays.")] = 12,
    act: Annotated[
        Act,
        typer.Option(help="nothing: report. dry-run: ask the Eviction API what it would do. evict: cordon and evict."),
    ] = Act.NOTHING,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two evictions.")] = 5.0,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds to wait for a PodDisruptionBudget to allow the next eviction; 0: only moves that all are allowed now.",
        ),
    ] = 60.0,
    every: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="With --act evict: go on, with so many seconds between two rounds, by one move for every ten pods that came.",
        ),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table for people, JSON for scripts.")
    ] = Output.TABLE,
) -> None:
    """Propose moves that empty nodes, within PodDisruptionBudgets and the annotations of cluster-autoscaler and Karpenter.

    Exit code 0 for a report (also an empty one), 1 where an eviction was asked for and not accepted, 2 where the cluster (or the
    extender) cannot be read. Interrupted by SIGINT or SIGTERM, a node that is being emptied is uncordoned; exit code 130 or 143, and 0
    with --every, which ends in no other way.
    """
    if every is not None and act is not Act.EVICT:
        raise typer.BadParameter(
            f"--every {every:g} with --act {act.value}: only --act evict goes on; leave --every out"
        )
    asked = Asked(kubeconfig, extender, Limits(drains, pods_per_node, most_moves), act, pause, wait)

    def show(proposal: Proposal, outcomes: list[Acted]) -> None:
        if output is Output.JSON:
            typer.echo(json.dumps(as_json(proposal, outcomes)))
        else:
            _show(proposal, outcomes)

    try:
        if every is not None:
            run(again_and_again(lambda allowance: _round(asked, allowance), show, every))  # ends by being interrupted
        proposal, outcomes = run(_round(asked, None))
    except (KubeError, Unanswered) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    except Interrupted as end:
        typer.echo(str(end), err=True)
        raise typer.Exit(_SIGNALLED + end.number if every is None else 0) from end
    show(proposal, outcomes)
    if not all(emptied for _, emptied, _ in outcomes):
        raise typer.Exit(1)


async def again_and_again(
    make_round: Callable[[WatchedAllowance], Awaitable[tuple[Proposal, list[Acted]]]],
    show: Callable[[Proposal, list[Acted]], object],
    every_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> NoReturn:
    """Rounds until interrupted. One that fails is told on standard error, and the next one comes in its time.

    Raises:
        KubeError: what was half done when it was interrupted could not be taken back.
    """
    allowance = WatchedAllowance()
    while True:
        try:
            show(*await make_round(allowance))
        except (KubeError, Unanswered) as error:
            if is_interrupted():
                raise
            typer.echo(f"error: {error}; trying again in {every_s:g} s", err=True)
        await sleep(every_s)


async def _round(asked: Asked, allowance: WatchedAllowance | None) -> tuple[Proposal, list[Acted]]:
    seconds_left = (await ask(asked.extender.rstrip("/") + "/lifetimes"))["seconds_left"] if asked.extender else None
    async with ApiClient(Connection.resolve(asked.kubeconfig)) as api:
        view = await read_cluster(api)
        proposal = proposed(view, asked, allowance, seconds_left)
        outcomes: list[Acted] = []
        for drain in proposal.drains if asked.act is not Act.NOTHING else ():
            told: list[Evicted] = []
            try:
                emptied = await drain_node(
                    api,
                    drain,
                    dry_run=asked.act is Act.DRY_RUN,
                    pause_seconds=asked.pause_s,
                    tell=told.append,
                    patience_seconds=asked.wait_s,
                )
            finally:
                if allowance is not None:
                    allowance.moved(sum(one.outcome is Outcome.EVICTED for one in told))
            outcomes.append((drain.node, emptied, told))
            if not emptied:
                break
        return proposal, outcomes


def proposed(
    view: ClusterView, asked: Asked, allowance: WatchedAllowance | None, seconds_left: dict[str, float] | None
) -> Proposal:
    """What to do on the cluster as read: within the limits, and where rounds follow each other within what is left for all of them."""
    limits, budgets = asked.limits, view.budgets.for_patience() if asked.wait_s else view.budgets
    if allowance is not None:
        allowance.look({p.uid for p in view.pods if p.node_name and keeps_nodes_in_use(p.signature)})
        limits = replace(limits, moves=min(limits.moves, allowance.left))
    return propose(view.snapshot, view.pods, budgets, view.classes, limits, seconds_left)


def as_json(proposal: Proposal, outcomes: list[Acted]) -> dict[str, Any]:
    """The report as JSON; money in dollars an hour."""
    return {
        "schema_version": 1,
        "saved_per_hour": dollars(proposal.saved),
        "lifetimes": "learned" if proposal.learned else "unknown",
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
        "seconds_left": drain.seconds_left,
        "moves": [
            {"namespace": move.pod.namespace, "pod": move.pod.name, "from": move.source, "to": move.target}
            for move in drain.moves
        ],
    }


_ORDER: Final = {
    True: "In the order of what nodes cost until they would run empty, as learned, for each pod moved.",
    False: "How long pods stay is not known: in the order of dollars an hour for each pod moved.",
}


def _show(proposal: Proposal, outcomes: list[Acted]) -> None:
    console = Console(soft_wrap=True)
    table = Table(title="Nodes that could be emptied, most saved per move first")
    for column in ("node", "$/h", "in use for, h", "moves", "pods and where they fit"):
        table.add_column(column, justify="left" if column.endswith(("node", "fit")) else "right")
    for drain in proposal.drains:
        where = ", ".join(f"{move.pod.namespace}/{move.pod.name} -> {move.target}" for move in drain.moves)
        left = "" if drain.seconds_left is None else f"{drain.seconds_left / _SECONDS_PER_HOUR:.1f}"
        table.add_row(drain.node, f"{dollars(drain.price):.3f}", left, str(len(drain.moves)), where)
    console.print(table)
    console.print(_ORDER[proposal.learned])
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
