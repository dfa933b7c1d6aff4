"""``stowplan sandbox``: a Kubernetes control plane with fake nodes on this machine, started and stopped by hand."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sandbox import lifecycle
from sandbox.build import ensure_binaries
from sandbox.errors import SandboxError
from sandbox.paths import sandbox_dir
from sandbox.status import read_keeper, read_status

app = typer.Typer(help="A real Kubernetes control plane with fake nodes on this machine.", no_args_is_help=True)

_MIB = 1024**2


class Output(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


Name = Annotated[str, typer.Option("--name", help="Name of the sandbox; several can be up side by side.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="A table for people, JSON for scripts.")]


@app.command()
def build() -> None:
    """Build the control plane's binaries into the cache, if they are not there yet."""
    with _errors():
        ensure_binaries()


@app.command()
def up(
    name: Name = "default",
    nodes: Annotated[int, typer.Option(min=0, help="Fake nodes to create, of a fixed mix of EC2 types.")] = 12,
    *,
    bare: Annotated[bool, typer.Option("--bare", help="Without stowplan.")] = False,
) -> None:
    """Start a control plane with stowplan installed and print the path of its kubeconfig.

    The first time, the binaries are built, which takes some minutes. One that is up already is left as it is.
    """
    with _errors():
        typer.echo(lifecycle.up(name, nodes=nodes, bare=bare))


@app.command()
def down(name: Name = "default") -> None:
    """Stop a sandbox and remove everything of it. It is no error if there is none."""
    with _errors():
        found = lifecycle.down(name)
    Console(stderr=True).print(f"sandbox {name!r} {'is removed' if found else 'does not exist'}", highlight=False)


@app.command()
def kubeconfig(name: Name = "default") -> None:
    """Print the path of the administrator's kubeconfig; exit code 1 if the sandbox is not up."""
    with _errors():
        typer.echo(lifecycle.kubeconfig_of(name))


@app.command()
def status(name: Name = "default", output: Format = Output.TABLE) -> None:
    """Show the processes of a sandbox; exit code 1 unless it is ready and all of them run."""
    with _errors():
        report = status_report(name)
    if output is Output.JSON:
        typer.echo(json.dumps(report))
    else:
        _print_table(report)
    if report["phase"] != "ready" or not all(component["running"] for component in report["components"]):
        raise typer.Exit(1)


def status_report(name: str) -> dict[str, Any]:
    """Phase of a sandbox (``down`` when there is none, ``gone`` when its keeper was killed) and its processes.

    Raises:
        ValueError: this is no name of a sandbox.
    """
    state_dir = sandbox_dir(name)
    keeper = read_keeper(state_dir)
    phase: str = "down" if keeper is None else keeper.phase
    if keeper is not None and not keeper.running and phase != "failed":
        phase = "gone"
    components = [
        {
            "name": component.name,
            "running": component.running,
            "pid": component.identity.pid,
            "port": component.port,
            "memory_bytes": component.memory_bytes,
            "log": component.log,
        }
        for component in read_status(state_dir)
    ]
    return {"name": name, "phase": phase, "state_dir": str(state_dir), "components": components}


def _print_table(report: dict[str, Any]) -> None:
    table = Table("component", "state", title=f"sandbox {report['name']}: {report['phase']}", title_justify="left")
    state_dir = Path(report["state_dir"])
    if report["components"]:
        table.caption, table.caption_justify = f"in {state_dir}", "left"
    for column in ("pid", "port", "MiB"):
        table.add_column(column, justify="right")
    table.add_column("log", overflow="fold")
    for component in report["components"]:
        table.add_row(
            component["name"],
            "running" if component["running"] else "[red]ended",
            str(component["pid"]),
            str(component["port"] or ""),
            f"{component['memory_bytes'] / _MIB:.0f}",
            str(Path(component["log"]).relative_to(state_dir)),
        )
    Console().print(table)


@contextmanager
def _errors() -> Iterator[None]:
    """Print what the sandbox says went wrong and exit with code 1; a wrong name is a usage error, code 2."""
    try:
        yield
    except SandboxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        sys.exit(130)
