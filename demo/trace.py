"""The shipped sample of Azure VM arrivals, read into typed rows."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources

SAMPLE = "arrivals.csv"
WINDOW_START_S = 1_800_000 + 69 * 1800
"""Start of the replayed window in trace time. The trace itself opens empty at 1,800,000 s, so its first day only warms up.

The window was moved by half an hour from a round number so that it does not end in the middle of a burst of 214 VMs.
"""
WINDOW_SECONDS = 6 * 3600
WINDOW_END_S = WINDOW_START_S + WINDOW_SECONDS

_COLUMNS = (
    "vm",
    "arrival_s",
    "batch",
    "flavor",
    "cores",
    "mem_gib",
    "censored",
    "lifetime_bin",
    "lifetime_lo_s",
    "lifetime_hi_s",
)


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """One row of the trace."""

    vm: int
    arrival_s: int
    """Seconds from the start of the window; negative when it was there before."""
    batch: int
    """VMs that one tenant asked for in the same five minutes share it."""
    flavor: str
    """Letter of the size."""
    cpu_millicores: int
    memory_bytes: int
    lifetime_bin: int | None
    """None for a VM that outlived the trace."""
    lifetime_s: int | None
    """Middle of the lifetime bin in seconds, None for a VM that outlived the trace."""


def read_trace(lines: Iterable[str]) -> list[VirtualMachine]:
    """Parse a table of arrivals, in the order of its rows.

    Raises:
        ValueError: a column is missing or a value is no number; the message names line, column and value.
    """
    reader = csv.DictReader(lines)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{SAMPLE}: column {missing[0]!r} is missing; the header must name {', '.join(_COLUMNS)}")
    rows = []
    for row in reader:
        try:
            rows.append(_virtual_machine(row))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{SAMPLE}:{reader.line_num}: {error}; every column but flavor must be a number"
            ) from error
    return rows


def load_sample() -> list[VirtualMachine]:
    """The sample that is shipped with the demo."""
    with resources.files("demo.data").joinpath(SAMPLE).open(encoding="utf-8") as lines:
        return read_trace(lines)


def _virtual_machine(row: dict[str, str]) -> VirtualMachine:
    censored = row["censored"] == "1"
    lifetime = (int(row["lifetime_lo_s"]) + int(row["lifetime_hi_s"])) // 2
    return VirtualMachine(
        vm=int(row["vm"]),
        arrival_s=int(row["arrival_s"]) - WINDOW_START_S,
        batch=int(row["batch"]),
        flavor=row["flavor"],
        cpu_millicores=int(row["cores"]) * 1000,
        memory_bytes=int(Fraction(row["mem_gib"]) * 2**30),
        lifetime_bin=None if censored else int(row["lifetime_bin"]),
        lifetime_s=None if censored else lifetime,
    )
