"""``python -m perf.simulation``: measure and write `build/perf/simulation.json`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perf.instances import Backlog
from perf.simulation import azure, backlogs, openb, restarts

_FULL: dict[str, Callable[[], Any]] = {
    "openb": openb.measure,
    "azure": azure.measure,
    "limits": azure.limits,
    "moves": azure.moves,
    "restarts": restarts.measure,
    "shapes": azure.shapes,
    "backlogs": backlogs.measure,
    "scaling": backlogs.scaling,
}
_QUICK: dict[str, Callable[[], Any]] = {
    "openb": lambda: openb.measure(openb.PUBLISHED_SEEDS[:1]),
    "azure": lambda: azure.measure(azure.JUDGED_FOLDS[:1]),
    "limits": lambda: azure.limits(azure.JUDGED_FOLDS[:1], 50),
    "moves": lambda: azure.moves(azure.JUDGED_FOLDS[:1]),
    "restarts": lambda: restarts.measure(azure.JUDGED_FOLDS[:1], (21_600,)),
    "shapes": azure.shapes,
    "backlogs": lambda: backlogs.measure((Backlog(50, 100), Backlog(200, 500)), backlogs.JUDGED_SEEDS[:1]),
    "scaling": lambda: backlogs.scaling((500, 1000)),
}


def main() -> None:
    """Run the parts asked for; a part measured before stays in the file."""
    parser = argparse.ArgumentParser(
        prog="python -m perf.simulation", description="Placement policies on recorded traces."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_FULL)}; all by default")
    parser.add_argument("--quick", action="store_true", help="one seed, small instances")
    parser.add_argument("--output", type=Path, default=Path("build/perf/simulation.json"), help="default: %(default)s")
    options = parser.parse_args()
    parts = options.parts or list(_FULL)
    for part in parts:
        if part not in _FULL:
            parser.error(f"part {part!r}: there is no such part; choose from {', '.join(_FULL)}")
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        sys.stderr.write(f"{part} ...")
        sys.stderr.flush()
        started = time.perf_counter()
        results[part] = (_QUICK if options.quick else _FULL)[part]()
        options.output.write_text(json.dumps(results, indent=1) + "\n")
        sys.stderr.write(f" {time.perf_counter() - started:.0f} s\n")
    sys.stdout.write(f"{options.output}\n")


if __name__ == "__main__":
    main()
