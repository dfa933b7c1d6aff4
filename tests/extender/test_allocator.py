"""Free memory goes back to the system, in a process of its own: it is set for good."""

from __future__ import annotations

import subprocess
import sys

from extender.allocator import give_back_free_memory

_PROGRAM = """
import sys
from pathlib import Path
from extender.allocator import give_back_free_memory
given_back = sys.argv[1] == "given back" and give_back_free_memory()

def mib():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024

block = bytes(31 << 20)  # freed once, it is the new threshold of what is mapped by itself
del block
before = mib()
large = bytearray(b"x") * (30 << 20)  # below the threshold now: from the heap
last = bytearray(b"y") * (200 << 10)  # on top of it
del large
print(round(mib() - before), given_back)
"""


def left_of_thirty_mib(how: str) -> tuple[int, bool]:
    """What is left of the block in MiB, and whether the C library could be told."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    left, told = done.stdout.split()
    return int(left), told == "True"


def test_a_large_block_is_given_back_once_it_is_free() -> None:
    left, told = left_of_thirty_mib("given back")
    kept, _ = left_of_thirty_mib("kept")
    assert left <= 2 if told else left == kept  # kept are 30 where the library is glibc


def test_where_the_library_refuses_that_is_said() -> None:
    asked = []

    def refuses(name: int, value: int) -> int:
        asked.append((name, value))
        return 0

    assert not give_back_free_memory(refuses)
    assert len(asked) == 3
