"""Measure the targets of right-sizing and write JSON: `python -m perf.sizing --traces DIR [--output FILE]`.

DIR holds the traces as data/README.md describes them; without it the shipped samples are measured, which shows the method but is too
little data for the targets. Tuning used days 15 to 44 of Bitbrains only; the overrun price is chosen there once per baseline.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from perf.sizing import live_fleet
from perf.sizing.measure import measure_all
from perf.sizing.scale import measured_apart


def main(
    traces: Annotated[Path | None, typer.Option(help="Folder with bitbrains/, onlineboutique/ and crane_cpu/.")] = None,
    output: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("build/perf/sizing.json"),
    scale: Annotated[bool, typer.Option(help="Also the 10,000-workload pass.")] = True,
) -> None:
    """Replay every trace, compare at equal risk, check the calibration, and time a full pass."""
    result: dict[str, Any] = measure_all(traces, lambda line: typer.echo(line, err=True))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if scale:
        typer.echo("scale", err=True)
        result["scale"] = json.loads(measured_apart())
        result["live_fleet"] = json.loads(live_fleet.measured_apart())
        output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    typer.echo(str(output))


if __name__ == "__main__":
    typer.run(main)
