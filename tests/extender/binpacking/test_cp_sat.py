"""OR-Tools without pandas."""

from __future__ import annotations

import subprocess
import sys


def said_by(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_planner_does_not_load_pandas() -> None:
    assert (
        said_by("import sys, extender.planner.child; print('pandas' in sys.modules, 'numpy' in sys.modules)")
        == "False True"
    )


def test_who_has_or_wants_pandas_gets_the_real_one() -> None:
    assert said_by("import extender.binpacking, pandas; print(pandas.Series([1, 2]).sum())") == "3"
    assert (
        said_by(
            "import pandas, extender.binpacking; from ortools.sat.python import cp_model; print(cp_model.pd is pandas)"
        )
        == "True"
    )
