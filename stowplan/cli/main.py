"""The `stowplan` command. Subcommands live in one module each and import what they need when they are called."""

from __future__ import annotations

import typer

from stowplan.cli import sandbox
from stowplan.cli.demo import demo
from stowplan.cli.manifests import manifests
from stowplan.cli.moves import moves
from stowplan.cli.mutate import mutate
from stowplan.cli.recommend import recommend
from stowplan.cli.replay import replay
from stowplan.cli.simulate import simulate
from stowplan.cli.why_node import why_node

app = typer.Typer(
    name="stowplan",
    help="Set-it-and-forget-it compute for Kubernetes: right-sized requests, planned placement, and the reason for both.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sandbox.app, name="sandbox")
app.command()(mutate)
app.command()(demo)
app.command()(simulate)
app.command()(replay)
app.command()(moves)
app.command("why-node")(why_node)
app.command()(recommend)
app.command()(manifests)


def main() -> None:
    """Entry point of the console scripts `stowplan` and `kubectl-stowplan`."""
    app()


if __name__ == "__main__":
    main()
