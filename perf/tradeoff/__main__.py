"""`python -m perf.tradeoff`: measure both curves and write `build/perf/tradeoff.json`, rows with the data of their plots."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from perf.instances import Backlog
from perf.tradeoff import plans, replay


def measure(*, short: bool = False) -> dict[str, Any]:
    """Both curves; `short` looks at fewer points."""
    found: dict[str, list[dict[str, Any]]] = {
        "plans": plans.curve((0, 20, 100), (1,), Backlog(60, 40)) if short else plans.curve(),
        "replay": replay.curve((0, 100), (3,)) if short else replay.curve(),
    }
    found["plot"] = [
        {
            "name": name,
            "x": [row["usd_per_hour"] for row in found[name]],
            "y": [row["headroom_p99_permille"] for row in found[name]],
            "penalty": [row["penalty_mean"] for row in found[name]],
        }
        for name in ("plans", "replay")
    ]
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m perf.tradeoff", description="Price against headroom of nodes.")
    parser.add_argument("--short", action="store_true", help="fewer points")
    parser.add_argument("--output", type=Path, default=Path("build/perf/tradeoff.json"), help="default: %(default)s")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(measure(short=options.short), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{options.output}\n")


if __name__ == "__main__":
    main()
