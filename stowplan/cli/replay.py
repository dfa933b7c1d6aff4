"""`stowplan replay`: what right-sizers would have made of recorded usage."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


def replay(
    usage: Annotated[
        Path,
        typer.Option(
            help="csv, csv.gz or parquet: workload,container,t_s,cpu_cores,memory_bytes[,cpu_provisioned,memory_provisioned]."
        ),
    ],
    learn_days: Annotated[
        int | None,
        typer.Option(help="Days learned before the first judged one; default: 7, or half of a shorter recording."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Names separated by commas, such as vpa,krr,stowplan/standard; default: all.")
    ] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Also our frontier between cost and risk.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write an HTML page with the frontier plot; implies --sweep.")
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one object, see docs/sizing.md.")
    ] = Output.TABLE,
) -> None:
    """Replay recorded usage through our sizing and the baselines: recommend at the start of each day, judge that day, then learn it.

    Exit code 2: the file or an option makes no sense.
    """
    result = _result(usage, learn_days, strategy, with_frontier=sweep or plot is not None)
    if plot is not None:
        from recommender.replaying.plot import write_plot  # noqa: PLC0415 - plotly is slow to import

        write_plot(result, plot)
    if output is Output.JSON:
        typer.echo(json.dumps(result, separators=(",", ":")))
    else:
        _table(result)


def _result(usage: Path, learn_days: int | None, strategy: str | None, *, with_frontier: bool) -> dict[str, Any]:
    from recommender.replaying.report import run  # noqa: PLC0415 - other subcommands start without numpy and polars
    from recommender.replaying.strategies import DEFAULT  # noqa: PLC0415 - as above
    from recommender.replaying.usage import read_usage  # noqa: PLC0415 - as above

    names = [name.strip() for name in strategy.split(",") if name.strip()] if strategy else list(DEFAULT)
    try:
        recording = read_usage(usage)
        days = learn_days if learn_days is not None else max(1, min(7, recording.days // 2))
        return run(recording, names, days, with_frontier=with_frontier, progress=_progress)
    except ValueError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error


def _progress(name: str) -> None:
    typer.echo(f"replaying {name}", err=True)


def _table(result: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - needed for this output only
    from rich.table import Table  # noqa: PLC0415 - as above

    title = (
        f"{result['workloads']} containers, {result['judged_days']} judged days after {result['learn_days']} learned"
    )
    table = Table(title=title)
    table.add_column("strategy")
    for heading in (
        "core-hours",
        "CPU slack",
        "overrun mean",
        "overrun p95",
        "unmet",
        "GiB-hours",
        "memory slack",
        "breach days",
        "changes/day",
        "within declared risk",
    ):
        table.add_column(heading, justify="right")
    for name, of in result["strategies"].items():
        cpu, memory = of["cpu"], of["memory"]
        within = of.get("calibration", {}).get("within", {})
        table.add_row(
            name,
            f"{cpu['requested']:,.0f}",
            *(_percent(cpu[key]) for key in ("slack", "overrun_share", "overrun_share_p95", "unmet")),
            f"{memory['requested']:,.0f}",
            _percent(memory["slack"]),
            str(memory["breach_days"]),
            "-" if of["changes_per_workload_day"] is None else f"{of['changes_per_workload_day']:.2f}",
            " / ".join(f"{kind} {_percent(share)}" for kind, share in within.items()) or "-",
        )
    Console(width=180).print(table)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
