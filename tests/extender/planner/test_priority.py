"""The planner's claim on processors, in a process of its own: it cannot be taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from extender.planner.priority import session_nice

_PROGRAM = """
import os, sys
from pathlib import Path
from extender.planner.priority import yield_processors
before = os.getpriority(os.PRIO_PROCESS, 0)
yield_processors(7, Path(sys.argv[1]))
print(os.getpriority(os.PRIO_PROCESS, 0) - before, os.getsid(0) == os.getpid())
"""


NICER = f"{min(7, 19 - os.getpriority(os.PRIO_PROCESS, 0))} True"
"""The kernel has no niceness above 19, and these tests may run at one of 13 or more."""


def said(autogroup: Path) -> str:
    argv = [sys.executable, "-c", _PROGRAM, str(autogroup)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_the_process_and_its_session_are_nicer(tmp_path: Path) -> None:
    autogroup = tmp_path / "autogroup"

    assert said(autogroup) == NICER
    assert autogroup.read_text() == "7"


@pytest.mark.parametrize(("server", "planner"), [(-12, "-5"), (5, "12"), (15, "19")])
def test_it_is_nicer_than_the_server_whose_session_has_a_niceness_too(
    tmp_path: Path, server: int, planner: str
) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.write_text(f"/autogroup-31 nice {server}\n")

    said(autogroup)

    assert autogroup.read_text() == planner  # 7 more than the server, and no more than the kernel takes


@pytest.mark.parametrize("name", ["missing/autogroup", "."])
def test_without_grouping_by_session_niceness_remains(tmp_path: Path, name: str) -> None:
    assert said(tmp_path / name) == NICER


@pytest.mark.parametrize(("text", "nice"), [(b"/autogroup-31 nice 5\n", 5), (b"/autogroup-4813 nice -12\n", -12)])
def test_the_niceness_of_a_session_is_read_as_the_kernel_writes_it(tmp_path: Path, text: bytes, nice: int) -> None:
    (tmp_path / "autogroup").write_bytes(text)

    assert session_nice(tmp_path / "autogroup") == nice


@pytest.mark.parametrize("text", [b"", b"7", b"\xff\xfe", b"/autogroup-1 nice\n"])
def test_what_is_not_understood_is_no_niceness(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "autogroup").write_bytes(text)

    assert session_nice(tmp_path / "autogroup") == 0
