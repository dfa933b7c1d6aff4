"""`stowplan recommend`: what would change for which workload, and what that is worth."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.proposing.proposals import Proposal
    from recommender.sizing.prices import Prices
    from stowplan.cli.recommend_inputs import Inputs


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


class PriceTable(StrEnum):
    """What a core and a GiB cost."""

    CATALOG = "catalog"
    """Two list prices of the shipped EC2 catalog, solved for both."""
    OPENCOST = "opencost"
    """OpenCost's defaults."""


class SortBy(StrEnum):
    """As recommender.proposing.proposals.Sort, which is not imported until it is needed."""

    SAVING = "saving"
    CPU = "cpu"
    MEMORY = "memory"
    RISK = "risk"
    NAME = "name"


def recommend(
    all_namespaces: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="Workloads of all namespaces.")
    ] = False,
    namespace: Annotated[
        str | None,
        typer.Option("-n", "--namespace", help="Default: the one of the kubeconfig's context; with -f: all."),
    ] = None,
    workload_class: Annotated[
        str | None, typer.Option("--class", help="Only workloads whose pods run with this class.")
    ] = None,
    under: Annotated[
        str | None, typer.Option(help="What if: the recommendation under this class instead of the workload's own.")
    ] = None,
    sort: Annotated[SortBy, typer.Option(help="Order of the rows, the largest first.")] = SortBy.SAVING,
    prices: Annotated[PriceTable, typer.Option(help="Price table.")] = PriceTable.CATALOG,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "-f", "--file", help="WorkloadProfiles (and Pods, workloads) from files instead of a cluster; - is stdin."
        ),
    ] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="json: docs/reference/recommend.md.")] = Output.TABLE,
) -> None:
    """Show what right-sizing would change: requests now and recommended, the saving a month, the risk, and what both rest on.

    Nothing is changed. Exit code 0: shown, also if there is nothing to show; 1: some objects could not be used (the others are shown);
    2: wrong usage, or no answer from the API server.
    """
    if all_namespaces and namespace is not None:
        raise typer.BadParameter("-A: means all namespaces; leave out -n")
    if (file or []).count("-") > 1:
        raise typer.BadParameter("-: standard input can be read once only")
    inputs, shown_namespace = _read(file or [], None if all_namespaces else namespace, everywhere=all_namespaces)
    rows, table_of_prices = _rows(inputs, workload_class, under, sort, prices)
    if output is Output.JSON:
        from recommender.proposing.proposal_json import report  # noqa: PLC0415 - other subcommands start without it

        typer.echo(json.dumps(report(rows, table_of_prices, inputs.problems), separators=(",", ":")))
    else:
        _show(rows, with_namespace=shown_namespace is None)
    for problem in inputs.problems:
        typer.echo(f"Error: {problem}", err=True)
    raise typer.Exit(1 if inputs.problems else 0)


def _read(files: Sequence[str], namespace: str | None, *, everywhere: bool) -> tuple[Inputs, str | None]:
    """What was read, and the only namespace in it, or None."""
    from stowplan.cli.recommend_inputs import from_cluster, from_files  # noqa: PLC0415 - other subcommands start without it
    from stowplan.kube.connection import Connection  # noqa: PLC0415 - as above
    from stowplan.kube.errors import KubeError  # noqa: PLC0415 - as above

    if files:
        text = sys.stdin.read() if "-" in files else ""
        return from_files(files, text, namespace), namespace
    try:
        connection = Connection.resolve()
        of = None if everywhere else namespace or connection.namespace
        return from_cluster(connection, of), of
    except KubeError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error


def _rows(
    inputs: Inputs, workload_class: str | None, under: str | None, sort: SortBy, prices: PriceTable
) -> tuple[list[Proposal], Prices]:
    from recommender.proposing.proposals import Sort, ordered, propose  # noqa: PLC0415 - as above
    from recommender.sizing.prices import Prices, list_prices  # noqa: PLC0415 - other subcommands start without it
    from stowplan.catalog.unit_prices import CPU_PRICE, MEMORY_PRICE  # noqa: PLC0415 - as above

    priced = list_prices() if prices is PriceTable.CATALOG else Prices(CPU_PRICE, MEMORY_PRICE)
    now = int(time.time())
    chosen = [p for p in inputs.profiles if workload_class in (None, p.observed_class)]
    rows = [propose(profile, inputs.in_force.get(profile.key), priced, now, under) for profile in chosen]
    return ordered(rows, Sort(sort)), priced


def _show(rows: Sequence[Proposal], *, with_namespace: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - needed for this output only

    from recommender.proposing.proposal_table import legend, table  # noqa: PLC0415 - as above

    if not rows:
        typer.echo("Nothing has been learned about these workloads yet.", err=True)
        return
    console = Console()
    console.print(table(rows, console.width, with_namespace=with_namespace))
    console.print(f"\n{legend(rows)}", highlight=False, markup=False)
