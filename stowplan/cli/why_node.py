"""``stowplan why-node``: why a pod is on its node and not on another, asked of the running extender."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from stowplan.cli.extender_answer import Unanswered, ask


class Output(StrEnum):
    """How the answer is printed."""

    TABLE = "table"
    JSON = "json"


def why_node(
    pod: Annotated[str, typer.Argument(help="Name of the pod, or NAMESPACE/NAME.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the pod.")] = "default",
    node: Annotated[str, typer.Option(help="Ask why the pod is not on this node.")] = "",
    extender: Annotated[
        str, typer.Option(envvar="STOWPLAN_EXTENDER", help="Address of the extender.")
    ] = "http://127.0.0.1:8888",
    *,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table for people, JSON for scripts.")
    ] = Output.TABLE,
) -> None:
    """Say why a pod is on its node: what was compared, with each node's terms, and how good the plan is.

    Exit code 0 with an answer, 1 when the extender remembers no decision about the pod, 2 when it cannot be asked.
    """
    space, _, name = pod.rpartition("/")
    path = f"/explain/{quote(space or namespace, safe='')}/{quote(name, safe='')}"
    try:
        answer = asyncio.run(ask(extender.rstrip("/") + path, {"node": node} if node else {}))
    except Unanswered as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.code) from error
    if output is Output.JSON:
        typer.echo(json.dumps(answer))
        return
    console = Console(highlight=False)
    for part in _for_people(answer):
        console.print(part)


def _for_people(answer: dict[str, Any]) -> list[str | Table]:
    parts: list[str | Table] = [answer["why"]]
    plan = answer.get("plan")  # an extender of an older version says none of a pod that waits
    if plan:
        parts.append(
            f"plan {plan['generation']} ({plan['source']}): cost {plan['cost_per_hour']:.4f} $/h, "
            f"bound {plan['bound_per_hour']:.4f} $/h, gap {plan['gap_percent']} %, made in {plan['solve_ms']} ms"
        )
    if answer.get("options"):
        parts.append(options_table(answer["options"]))
    why_not = answer.get("why_not")
    if why_not:
        parts.append(f"why not {why_not['node']}: {why_not['why']}")
    if why_not and why_not["resources"]:
        parts.append(_lacking(why_not["resources"]))
    return parts


def options_table(options: list[dict[str, Any]]) -> Table:
    """The nodes compared, best first; GPUs where they were weighed."""
    gpus = any(option.get("gpus_made_unusable") is not None for option in options)
    table = Table("node", "by", "use", "$/h", "in use longer, s", "expected cost, $", "latency", box=None)
    if gpus:
        table.add_column("GPUs made unusable")
    for option in options:
        cost = option["expected_cost"]
        table.add_row(
            option["node"],
            "plan" if option["planned"] else "value",
            "in use" if option["occupied"] else "opens",
            f"{option['price_per_hour']:.4f}",
            f"{option['seconds_added']:.0f}",
            "" if cost is None else f"{cost:.4f}",
            " ".join(f"{name} {points}" for name, points in option["latency"].items()),
            *([f"{option['gpus_made_unusable'] or 0:.2f}"] if gpus else []),
        )
    return table


def _lacking(resources: list[dict[str, str]]) -> Table:
    table = Table("resource", "asking", "used", "available", box=None)
    for entry in resources:
        table.add_row(entry["resource"], entry["asking"], entry["used"], entry["available"])
    return table
