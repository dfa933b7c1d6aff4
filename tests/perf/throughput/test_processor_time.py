"""Processor time from /proc, of this process and a child."""

from __future__ import annotations

import os
import subprocess
import sys

from perf.throughput.processor_time import by_name, family, milliseconds, queued_milliseconds


def waiting(word: str) -> subprocess.Popen[str]:
    """A child that runs until it is killed, with a word on its command line; it has begun."""
    argv = [sys.executable, "-c", "print('begun', flush=True); input()", word]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


def test_a_family_is_a_process_and_its_children() -> None:
    with waiting("us too") as child:
        members = family(os.getpid())
        child.kill()

    assert os.getpid() in members
    assert "us too" in members[child.pid]


def test_work_takes_processor_time_and_a_process_that_is_gone_takes_none() -> None:
    before = by_name({"us": os.getpid()})["us"]
    while milliseconds(os.getpid()) <= before:
        sum(range(10_000))

    assert by_name({"us": os.getpid()})["us"] > before
    assert queued_milliseconds(os.getpid()) >= 0
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert (milliseconds(gone.pid), queued_milliseconds(gone.pid), family(gone.pid)) == (0, 0, {})


def test_a_planner_is_counted_apart() -> None:
    with waiting("extender.planner.child") as child:
        counted = by_name({"extender": child.pid}, lambda _: 7)
        child.kill()

    assert counted == {"planner": 7}
