"""Days (or runs) that are not over: counts by size of use instead of samples, so that replicas and samples take no room of their own.

A row is one container of a workload (of a run: of one pod). CPU goes into buckets 5 % apart, from 1 to 240,000 millicores; what a bucket
stands for is its geometric middle, so that every amount is right within 2.5 %. All state is integers and maxima: the order of samples
does not matter, and the rows of two replicas add up to the row of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import DAY_S, Floats, Ints
from recommender.remembering.history import EDGES, LATE_S, Sketch

BUCKETS: Final = 256
RATIO: Final = 1.05
HOURS: Final = 24
HOUR_S: Final = 3600
STARTS: Final[Floats] = np.concatenate(([0.0], RATIO ** np.arange(BUCKETS - 1, dtype=np.float64)))
"""Where each bucket starts, millicores; the first is [0, 1)."""
MIDDLES: Final[Floats] = np.concatenate(([0.5], STARTS[1:] * math.sqrt(RATIO)))
_WIDTHS: Final[Floats] = np.concatenate(([1.0], STARTS[1:] * (RATIO - 1)))
_CHUNK: Final = 512
_LATE_HOURS: Final = LATE_S // HOUR_S
Rows = NDArray[np.int64]


def bucket_of(cpu: Floats) -> Ints:
    """The bucket of each amount of millicores."""
    with np.errstate(divide="ignore"):
        index = 1 + np.floor(np.log(np.maximum(cpu, 0.0)) / math.log(RATIO) + 1e-9)
    return np.where(cpu < 1.0, 0, np.clip(index, 0, BUCKETS - 1)).astype(np.int64)


@dataclass(frozen=True)
class Batch:
    """Samples by column; rows may repeat."""

    rows: Rows
    t_s: Ints
    window_s: Ints
    cpu: Floats
    """Millicores."""
    memory: Floats
    """Bytes; NaN where unknown."""
    steady: NDArray[np.bool_]
    """Whether the CPU is to be learned from: not so in a warm-up."""
    replicas: Ints
    """How many pods of the row's workload took part in the measurement."""


@dataclass(frozen=True, slots=True)
class BusyHour:
    """The hour with the most work."""

    cores: float
    """Mean busy cores of all replicas."""
    replicas: int


@dataclass
class OpenSketches:
    """Rows of counts. `reserve` them before use; a row that is not used costs address space only until it is written."""

    counts: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((0, BUCKETS), np.uint32))
    load: Ints = field(default_factory=lambda: np.zeros((0, HOURS), np.int64))
    """Microcore-seconds by hour of the day."""
    seconds: Ints = field(default_factory=lambda: np.zeros((0, HOURS), np.int64))
    """Seconds that the samples of each hour stand for."""
    replicas: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, HOURS), np.uint16))
    memory_peak: Floats = field(default_factory=lambda: np.zeros(0))
    """Bytes; 0 where nothing was measured."""

    def reserve(self, rows: int) -> None:
        """Make room for rows up to this number, in large steps: growing copies."""
        if rows <= len(self.counts):
            return
        size = max(rows, len(self.counts) * 5 // 4, 64)
        for name in ("counts", "load", "seconds", "replicas", "memory_peak"):
            old = getattr(self, name)
            grown = np.zeros((size, *old.shape[1:]), old.dtype)
            grown[: len(old)] = old
            setattr(self, name, grown)

    def add(self, batch: Batch) -> None:
        """Count samples; their times say which hour of the day they belong to, whatever the day."""
        self.reserve(int(batch.rows.max(initial=-1)) + 1)
        known = np.isfinite(batch.memory)
        np.maximum.at(self.memory_peak, batch.rows[known], batch.memory[known])
        rows, cpu = batch.rows[batch.steady], batch.cpu[batch.steady]
        hour = (batch.t_s[batch.steady] - 1) % DAY_S // HOUR_S  # a sample stands for the time before t_s
        window = np.maximum(batch.window_s[batch.steady], 1)
        np.add.at(self.counts, (rows, bucket_of(cpu)), 1)
        np.add.at(self.load, (rows, hour), np.rint(cpu * 1000).astype(np.int64) * window)
        np.add.at(self.seconds, (rows, hour), window)
        seen = np.minimum(batch.replicas[batch.steady], np.iinfo(np.uint16).max).astype(np.uint16)
        np.maximum.at(self.replicas, (rows, hour), seen)

    def merge(self, row: int, other: OpenSketches, other_row: int) -> None:
        """Add what another row holds, of the same hours; replicas are those of the larger."""
        self.reserve(row + 1)
        self.counts[row] += other.counts[other_row]
        self.load[row] += other.load[other_row]
        self.seconds[row] += other.seconds[other_row]
        self.replicas[row] = np.maximum(self.replicas[row], other.replicas[other_row])
        self.memory_peak[row] = max(self.memory_peak[row], other.memory_peak[other_row])

    def raise_memory(self, row: int, amount: float) -> None:
        """An amount that was needed, whether or not it was measured (an OOM kill)."""
        self.reserve(row + 1)
        self.memory_peak[row] = max(self.memory_peak[row], amount)

    def clear(self, row: int) -> None:
        """Forget a row, so that it can be used again."""
        if row < len(self.counts):
            for values in (self.counts, self.load, self.seconds, self.replicas, self.memory_peak):
                values[row] = 0

    def samples(self, rows: Rows) -> Ints:
        """CPU samples of each row; a row beyond the reserved ones has none."""
        found = np.zeros(len(rows), dtype=np.int64)
        there = rows < len(self.counts)
        found[there] = self.counts[rows[there]].sum(axis=1, dtype=np.int64)
        return found

    def used(self) -> Rows:
        """Rows with anything in them, ascending."""
        rows: Rows = np.flatnonzero(self.counts.any(axis=1) | (self.memory_peak > 0))
        return rows

    def sketches(self, rows: Rows) -> dict[int, Sketch]:
        """Sketches of the rows that have CPU samples, within 2.5 % of those of the samples themselves (`history.sketch`)."""
        found: dict[int, Sketch] = {}
        rows = rows[self.samples(rows) > 0]
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            bands, late = _bands(self.counts[part]), self._late(part)
            peaks = np.where(self.memory_peak[part] > 0, self.memory_peak[part], np.nan)
            totals = self.counts[part].sum(axis=1, dtype=np.int64)
            for i, row in enumerate(part):
                found[int(row)] = Sketch(bands[i], float(late[i]), float(peaks[i]), int(totals[i]))
        return found

    def _late(self, rows: Rows) -> Floats:
        """Mean of the last two hours with samples, millicores."""
        seconds = self.seconds[rows]
        last = HOURS - 1 - (seconds[:, ::-1] > 0).argmax(axis=1)
        hours = np.arange(HOURS)
        late = (hours <= last[:, None]) & (hours > last[:, None] - _LATE_HOURS)
        means: Floats = (self.load[rows] * late).sum(axis=1) / np.maximum((seconds * late).sum(axis=1), 1) / 1000
        return means

    def busy_hour(self, row: int) -> BusyHour:
        """The busiest hour: mean use of a replica times the replicas seen; nothing used is no cores on one replica."""
        if row >= len(self.counts):
            return BusyHour(0.0, 1)
        replicas = self.replicas[row].astype(np.int64)
        cores = self.load[row] / np.maximum(self.seconds[row], 1) * replicas / 1e6
        hour = int(cores.argmax())
        return BusyHour(float(cores[hour]), max(1, int(replicas[hour])))

    def above(self, rows: Rows, asked: Floats) -> tuple[Floats, Floats, Floats]:
        """Share of samples above an amount by row, mean use above it, and mean use (millicores); within a bucket use is taken as even."""
        overrun, unmet, mean = (np.zeros(len(rows)) for _ in range(3))
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            counts = self.counts[rows[part]].astype(np.float64)
            total = np.maximum(counts.sum(axis=1), 1.0)
            amount = asked[part, None]
            share = np.clip((STARTS + _WIDTHS - amount) / _WIDTHS, 0.0, 1.0)
            excess = np.where(share >= 1, MIDDLES - amount, share * share * _WIDTHS / 2)
            overrun[part] = (counts * share).sum(axis=1) / total
            unmet[part] = (counts * np.maximum(excess, 0.0)).sum(axis=1) / total
            mean[part] = (counts * MIDDLES).sum(axis=1) / total
        return overrun, unmet, mean


def _bands(counts: NDArray[np.uint32]) -> Floats:
    """Mean of each band of ranks, as `recommender.remembering.history.sketch` takes it from sorted samples."""
    below = counts.cumsum(axis=1, dtype=np.int64)
    sums = (counts * MIDDLES).cumsum(axis=1)
    total = below[:, -1]
    ends = np.floor(EDGES * total[:, None] + 1e-9).astype(np.int64)
    bucket = (below[:, None, :] < ends[:, :, None]).sum(axis=2)
    bucket = np.minimum(bucket, BUCKETS - 1)
    upto = np.take_along_axis(sums, bucket, 1) - (np.take_along_axis(below, bucket, 1) - ends) * MIDDLES[bucket]
    sizes = np.diff(ends, axis=1)
    nearest_rank = np.clip(ends[:, 1:], 1, total[:, None])
    nearest = MIDDLES[np.minimum((below[:, None, :] < nearest_rank[:, :, None]).sum(axis=2), BUCKETS - 1)]
    bands = np.where(sizes > 0, np.diff(upto, axis=1) / np.maximum(sizes, 1), nearest)
    return np.maximum.accumulate(bands, axis=1)
