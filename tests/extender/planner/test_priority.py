"""The planner's claim on processors, in a process of its own: it cannot be taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, sys
from pathlib import Path
from extender.planner.priority import yield_processors
before = os.getpriority(os.PRIO_PROCESS, 0)
yield_processors(7, Path(sys.argv[1]))
print(os.getpriority(os.PRIO_PROCESS, 0) - before, os.getsid(0) == os.getpid())
"""


def said(autogroup: Path) -> str:
    argv = [sys.executable, "-c", _PROGRAM, str(autogroup)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_the_process_and_its_session_are_nicer(tmp_path: Path) -> None:
    autogroup = tmp_path / "autogroup"

    assert said(autogroup) == "7 True"
    assert autogroup.read_text() == "7"


@pytest.mark.parametrize("name", ["missing/autogroup", "."])
def test_without_grouping_by_session_niceness_remains(tmp_path: Path, name: str) -> None:
    assert said(tmp_path / name) == "7 True"
