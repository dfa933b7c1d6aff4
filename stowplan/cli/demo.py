"""`stowplan demo`: the main job, end to end, with a report."""

import enum
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer


class Cluster(enum.StrEnum):
    """Where the demo runs."""

    SANDBOX = "sandbox"
    CURRENT = "current"


def demo(
    *,
    cluster: Annotated[
        Cluster, typer.Option(help="'sandbox': fresh control planes of its own; 'current': the kubeconfig's cluster.")
    ] = Cluster.SANDBOX,
    runs: Annotated[
        str,
        typer.Option(
            help="Runs, comma separated: stock, most-allocated, right-sized, packed, stowplan. [default: all the cluster can do]"
        ),
    ] = "",
    output: Annotated[Path, typer.Option(help="Directory for result.json and report.html.")] = Path("build/demo"),
    pods: Annotated[int | None, typer.Option(min=1, help="At most so many pods of the sample; default all.")] = None,
    replay_seconds: Annotated[
        float, typer.Option(min=1.0, help="Time in which six hours of trace are replayed.")
    ] = 60.0,
    kubeconfig: Annotated[Path | None, typer.Option(help="With --cluster current: default as kubectl's.")] = None,
    context: Annotated[str | None, typer.Option(help="With --cluster current: a context of the kubeconfig.")] = None,
    kwok_nodes: Annotated[
        bool, typer.Option("--kwok-nodes", help="With --cluster current: bring the node set along, played by its KWOK.")
    ] = False,
) -> None:
    """Replay a real trace on a real control plane, with and without stowplan, and write a report.

    Exit code 0: every pod was placed or its refusal is explained; 1: not so, or a run failed; 130: interrupted.
    """
    # Imported here: they cost half a second that `stowplan --help` need not wait for.
    from rich.console import Console  # noqa: PLC0415 - see above

    from demo.errors import DemoError  # noqa: PLC0415 - see above
    from demo.main import DemoSettings, parse_runs, run_demo  # noqa: PLC0415 - see above
    from demo.terminal import show  # noqa: PLC0415 - see above
    from sandbox.errors import SandboxError  # noqa: PLC0415 - see above
    from stowplan.kube.errors import KubeError  # noqa: PLC0415 - see above

    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: everything that was started is stopped
    try:
        places = None
        if cluster is Cluster.CURRENT:
            from demo.existing import existing_places  # noqa: PLC0415 - see above

            places = existing_places(kubeconfig, context, kwok_nodes=kwok_nodes)
        settings = DemoSettings(output, parse_runs(runs, places), pods, replay_seconds)
        result = run_demo(settings, places)
    except (DemoError, SandboxError, KubeError, OSError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; everything that was started has been stopped", 130)
    show(result, Console())
    typer.echo(f"\nreport  {output / 'report.html'}\nresult  {output / 'result.json'}")
    unexplained = [name for name, run in result.runs.items() if not run.explained]
    if unexplained:
        _fail(f"run {', '.join(unexplained)}: pods are unplaced and nobody said why; see the report", 1)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"stowplan demo: {message}\n")
    raise typer.Exit(code)
