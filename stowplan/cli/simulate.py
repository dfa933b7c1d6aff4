"""``stowplan simulate``: placement policies on a trace of nodes and pods, priced, without a cluster."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from simulator.bounds import lower_bound
from simulator.engine import Outcome, Replay
from simulator.policies import DEFAULT_POLICIES, POLICIES, policy_named
from simulator.report import as_json, as_table
from simulator.tables import read_nodes, read_pods
from simulator.trace import Trace
from simulator.window import Window, window_of

_STEP = 64
"""Pods between two steps of the progress bar."""


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"


def simulate(
    nodes: Annotated[Path, typer.Option(help="CSV (also gzip) of nodes; with --elastic of node types.")],
    pods: Annotated[Path, typer.Option(help="CSV (also gzip) of pods, in order of arrival where it has no times.")],
    policy: Annotated[
        str, typer.Option(help=f"Policies, joined by commas; `all` for all of {', '.join(POLICIES)}.")
    ] = ",".join(DEFAULT_POLICIES),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the policies that draw.")] = 1,
    warm_up_s: Annotated[int, typer.Option("--warm-up-s", min=0, help="Replay so many seconds before measuring.")] = 0,
    until_s: Annotated[
        int | None, typer.Option("--until-s", min=1, help="Measure up to this time of the trace.")
    ] = None,
    *,
    elastic: Annotated[bool, typer.Option("--elastic", help="Open nodes on demand, close them when empty.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table for people, JSON for scripts.")
    ] = Output.TABLE,
) -> None:
    """Place the pods of a trace by several policies and compare what the nodes cost.

    Exit code 0 when all policies ran (pods that found no node are counted, not an error), 2 for input that makes no sense.
    """
    try:
        names = _names(policy)
        rows, timed = read_pods(pods)
        trace = Trace(read_nodes(nodes), rows, elastic, timed)
        window = window_of(trace, warm_up_s, until_s)
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    outcomes = _run(trace, names, seed, window)
    bound = lower_bound(trace, window)
    if output is Output.JSON:
        typer.echo(json.dumps(as_json(seed, bound, outcomes)))
    else:
        Console().print(as_table(bound, outcomes))


def _names(policy: str) -> list[str]:
    names = list(POLICIES) if policy == "all" else [name.strip() for name in policy.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--policy is empty; name some of {', '.join(POLICIES)}")
    for name in names:
        policy_named(name)
    return list(dict.fromkeys(names))


def _run(trace: Trace, names: list[str], seed: int, window: Window) -> dict[str, Outcome]:
    """One replay a policy, with a bar on standard error where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    outcomes: dict[str, Outcome] = {}
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal
    ) as bar:
        for name in names:
            task = bar.add_task(name, total=len(trace.pods))

            def shown(done: int, task: TaskID = task) -> None:
                if done % _STEP == 0:
                    bar.update(task, completed=done)

            outcomes[name] = Replay(trace, policy_named(name), seed=seed, window=window).run(shown)
            bar.update(task, completed=len(trace.pods))
    return outcomes
