"""Recorded usage of a fleet of containers: the schema, reading and checking it, and its division into days.

One row is one sample of one container. Times are seconds since the epoch, CPU is read in cores and held in millicores, memory is
bytes. Usage is a measurement and therefore a float; requests are integers. All arrays are flat and sorted by container, then time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from recommender.amounts import DAY_S, Floats, Ints

REQUIRED: Final = ("workload", "container", "t_s", "cpu_cores", "memory_bytes")
OPTIONAL: Final = ("cpu_provisioned", "memory_provisioned")
_CORES: Final = ("cpu_cores", "cpu_provisioned")


class UsageError(ValueError):
    """Recorded usage that makes no sense; the message names file, line (or row), column, value and remedy."""


@dataclass(frozen=True)
class Usage:
    """Samples of all containers of a recording."""

    names: tuple[tuple[str, str], ...]
    """(workload, container) by container number, sorted."""
    container: Ints
    """Container number of each sample, ascending."""
    t_s: Ints
    """Start of each sample, ascending within a container; epoch seconds."""
    cpu: Floats
    """Used millicores."""
    memory: Floats
    """Used bytes; NaN where not recorded."""
    cpu_provisioned: Floats
    """Millicores asked for when the usage was recorded; NaN where unknown."""
    memory_provisioned: Floats
    """Bytes asked for when the usage was recorded; NaN where unknown."""

    @cached_property
    def day(self) -> Ints:
        """UTC day number of each sample, 0 for the first day of the recording."""
        return self.t_s // DAY_S - self.first_day

    @cached_property
    def first_day(self) -> int:
        """Days from the epoch to the first day of the recording."""
        return int(self.t_s.min() // DAY_S)

    @cached_property
    def days(self) -> int:
        """Number of days from the first to the last."""
        return int(self.day.max()) + 1

    @cached_property
    def step_s(self) -> Floats:
        """Seconds that each sample stands for: the median distance of its container's samples (60 for a single sample)."""
        steps = np.full(len(self.names), 60.0)
        ends = np.searchsorted(self.container, np.arange(len(self.names) + 1))
        for number, (start, end) in enumerate(pairwise(ends)):
            if end - start > 1:
                steps[number] = np.median(np.diff(self.t_s[start:end]))
        return steps[self.container]

    @cached_property
    def group(self) -> Ints:
        """Number of the (container, day) cell of each sample: container * days + day; ascending."""
        return self.container * self.days + self.day

    @cached_property
    def bounds(self) -> Ints:
        """Where each (container, day) cell starts; one more at the end."""
        return np.searchsorted(self.group, np.arange(len(self.names) * self.days + 1))

    def cell(self, container: int, day: int) -> slice:
        """The samples of one container on one day."""
        at = container * self.days + day
        return slice(int(self.bounds[at]), int(self.bounds[at + 1]))

    def daily_max(self, values: Floats) -> Floats:
        """Largest value by container and day, ignoring NaN; NaN where there is none."""
        result = np.full(len(self.names) * self.days, -np.inf)
        known = np.isfinite(values)
        np.maximum.at(result, self.group[known], values[known])
        return np.where(np.isinf(result), np.nan, result).reshape(len(self.names), self.days)


def read_usage(path: Path) -> Usage:
    """Read a csv (also gzip) or parquet file with the columns REQUIRED and, if present, OPTIONAL.

    Raises:
        UsageError: the file cannot be read, a column is missing, or a value is out of its range.
    """
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            f"{path}: cannot be read as {'parquet' if path.suffix == '.parquet' else 'csv'}: {error}"
        ) from error
    return usage_of(frame, str(path))


def usage_of(frame: pl.DataFrame, source: str) -> Usage:
    """Check and sort a table of the schema; `source` names it in messages (line 1 is a csv's header).

    Raises:
        UsageError: a column is missing, a value is out of its range, or a container has two samples at one time.
    """
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise UsageError(f"{source}:1: column {missing[0]} is missing; the header must name {','.join(REQUIRED)}")
    if frame.is_empty():
        raise UsageError(f"{source}: there are no rows; give at least one sample")
    columns = {name: _column(frame, name, source) for name in (*REQUIRED, *OPTIONAL)}
    table = pl.DataFrame(columns).with_row_index("line", offset=2).sort("workload", "container", "t_s", "line")
    twice = table.filter(pl.struct("workload", "container", "t_s").is_duplicated())
    if not twice.is_empty():
        row = twice.row(1, named=True)
        raise UsageError(
            f"{source}:{row['line']}: t_s {row['t_s']} comes twice for {row['workload']}/{row['container']}; keep one sample"
        )
    return _usage(table)


def _usage(table: pl.DataFrame) -> Usage:
    keys = table.select("workload", "container")
    names = keys.unique(maintain_order=True).rows()
    changed = keys.with_columns(pl.struct("workload", "container").rle_id().alias("number"))
    values: dict[str, Any] = {
        name: table[name].to_numpy() for name in table.columns if name not in {"workload", "container"}
    }
    return Usage(
        tuple((str(workload), str(container)) for workload, container in names),
        changed["number"].to_numpy().astype(np.int64),
        values["t_s"].astype(np.int64),
        values["cpu_cores"] * 1000.0,
        values["memory_bytes"],
        values["cpu_provisioned"] * 1000.0,
        values["memory_provisioned"],
    )


def _column(frame: pl.DataFrame, name: str, source: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=pl.Float64).fill_null(float("nan"))
    raw = frame[name]
    if name in {"workload", "container"}:
        text = raw.cast(pl.String).fill_null("")
        _refuse(raw, text == "", f"{source}:{{line}}: {name} is {{value!r}}; it must be a name")
        return text
    wanted = pl.Int64 if name == "t_s" else pl.Float64
    text = raw.cast(pl.String).str.strip_chars() if raw.dtype == pl.String else raw
    number = text.cast(wanted, strict=False)
    may_be_empty = name == "memory_bytes" or name in OPTIONAL
    empty = raw.is_null() | (text == "") if raw.dtype == pl.String else raw.is_null()
    wrong = number.is_null() if not may_be_empty else number.is_null() & ~empty
    kind = (
        "a whole number of seconds"
        if name == "t_s"
        else f"a {'number of cores' if name in _CORES else 'number of bytes'}"
    )
    _refuse(
        raw,
        wrong | (number < 0).fill_null(value=False),
        f"{source}:{{line}}: {name} is {{value!r}}; it must be {kind}, 0 or more",
    )
    if name == "t_s":
        return number
    unbounded = number.is_infinite().fill_null(value=False) | (
        number.is_nan().fill_null(value=False) & (not may_be_empty)
    )
    _refuse(raw, unbounded, f"{source}:{{line}}: {name} is {{value!r}}; it must be a finite number")
    return number.fill_null(float("nan"))


def _refuse(raw: pl.Series, wrong: pl.Series, message: str) -> None:
    """Raise for the first row that is wrong."""
    at = wrong.arg_max()
    if at is not None and wrong[at]:
        raise UsageError(message.format(line=at + 2, value=raw[at]))
