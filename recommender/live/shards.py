"""Open days, open runs and everything else that changes each minute, as text for a few checkpoint objects ("shards").

One shard holds all containers of its workloads by column: names once, counts as runs of (bucket, count), compressed. Of the hours only
the last two and the busiest are written: no other can matter again. A day that has been closed stays in its shard until the profile of
its workload has been written. Format and figures: docs/decisions/0006-checkpoints.md.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from recommender.regression.regression_codec import encode_watch
from recommender.remembering.learned import Slow, history_from
from recommender.remembering.open_sketches import BUCKETS, HOURS, OpenSketches, Rows
from recommender.remembering.starts import MINUTES, Recording
from recommender.workloads.fleet import Fleet, OpenRun, Tracked
from stowplan.model.workload import WorkloadKey

_FORMAT: Final = 1
_LEVEL: Final = 6
_LARGEST: Final = 64 * 2**20
"""A shard that unpacks to more than this is not ours."""


class Columns(msgspec.Struct, array_like=True):
    """Some rows of open sketches, column by column; little-endian, byte planes of equal weight side by side."""

    rows: int
    filled: bytes
    """Number of buckets with a count, by row (u16)."""
    buckets: bytes
    """Those buckets (u8)."""
    counts: bytes
    """Their counts (u32 planes)."""
    hours: bytes
    """Number of hours written, by row (u8), then the hours (u8)."""
    load: bytes
    """i64 planes."""
    seconds: bytes
    """u32 planes."""
    replicas: bytes
    """u16 planes."""
    memory: bytes
    """f64 planes, by row."""


class ContainerEntry(msgspec.Struct, array_like=True):
    """A container: its row of each day is found by position."""

    name: str
    slow: Slow | None = None
    """Only where the profile of the workload does not have it yet; likewise `closed`."""
    closed: str = ""
    """Days (runs) that were closed and are not in the profile, as a history."""


class RunEntry(msgspec.Struct, array_like=True):
    """A run that is not over."""

    pod: str
    started_s: int
    last_s: int
    containers: list[str]


class StartEntry(msgspec.Struct, array_like=True):
    """A start that is being recorded."""

    pod: str
    container: str
    started_s: int
    microcores: bytes
    samples: bytes


class WorkloadEntry(msgspec.Struct, array_like=True):
    """A workload and what is open of it."""

    key: WorkloadKey
    api_version: str
    by_runs: bool
    last_seen_s: int
    containers: list[ContainerEntry]
    runs: list[RunEntry]
    starts: list[StartEntry]
    watch: str = ""
    """Only while a size is on probation or stepped back from: until then the one in the profile does."""


class Shard(msgspec.Struct, array_like=True):
    """One shard. The rows of `days` and `runs` are those of the entries' containers, in their order."""

    written_s: int
    closed_through: int
    workloads: list[WorkloadEntry]
    days: dict[int, Columns]
    runs: Columns


@dataclass
class Restored:
    """What a shard held, with open sketches whose rows are the positions of its containers."""

    shard: Shard
    days: dict[int, OpenSketches] = field(default_factory=dict)
    runs: OpenSketches = field(default_factory=OpenSketches)


def encode_shard(fleet: Fleet, workloads: Sequence[Tracked], now_s: int) -> str:
    """These workloads as the text of a shard."""
    starts = _starts_by_workload(fleet, workloads)
    entries, day_rows, run_rows = [], [], []
    for tracked in workloads:
        runs = list(fleet.runs.get(tracked.key, {}).items())
        entries.append(_entry(fleet, tracked, runs, starts.get(tracked.key, [])))
        day_rows += list(tracked.rows.values())
        run_rows += [row for _, run in runs for row in run.rows.values()]
    rows = np.array(day_rows, dtype=np.int64)
    days = {day: _columns(sketches, rows) for day, sketches in fleet.days.items()}
    runs_columns = _columns(fleet.run_sketches, np.array(run_rows, dtype=np.int64))
    shard = Shard(now_s, fleet.closed_through, entries, days, runs_columns)
    packed = zlib.compress(msgspec.msgpack.encode(shard), _LEVEL)
    return f"{_FORMAT}:{base64.b64encode(packed).decode()}"


def decode_shard(text: str) -> Restored:
    """What `encode_shard` wrote.

    Raises:
        ValueError: damaged, foreign, or of another format; what it held has to be learned again.
    """
    version, _, payload = text.partition(":")
    if version != str(_FORMAT):
        raise ValueError(f"open-day checkpoint of format {version[:8]!r} is not {_FORMAT}; drop it and learn again")
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(payload, validate=True), _LARGEST)
        shard = msgspec.msgpack.decode(raw, type=Shard)
        containers = sum(len(entry.containers) for entry in shard.workloads)
        running = sum(len(run.containers) for entry in shard.workloads for run in entry.runs)
        days = {day: _sketches(columns, containers) for day, columns in shard.days.items()}
        return Restored(shard, days, _sketches(shard.runs, running))
    except (binascii.Error, zlib.error, msgspec.DecodeError, ValueError, IndexError) as error:
        raise ValueError(f"open-day checkpoint is damaged ({error}); drop it and learn again") from error


def _starts_by_workload(
    fleet: Fleet, workloads: Sequence[Tracked]
) -> dict[WorkloadKey, list[tuple[tuple[str, str, str], Recording]]]:
    wanted = {tracked.key for tracked in workloads}
    found: dict[WorkloadKey, list[tuple[tuple[str, str, str], Recording]]] = {}
    for key, recording in fleet.starts.recordings.items():
        if recording.workload in wanted:
            found.setdefault(recording.workload, []).append((key, recording))
    return found


def _entry(
    fleet: Fleet,
    tracked: Tracked,
    runs: Sequence[tuple[str, OpenRun]],
    starts: Sequence[tuple[tuple[str, str, str], Recording]],
) -> WorkloadEntry:
    containers = []
    for name, row in tracked.rows.items():
        learned = fleet.at(row)
        if tracked.saved:
            containers.append(ContainerEntry(name))
            continue
        unsaved = history_from(learned.history, learned.saved_through + 1)
        closed = unsaved.checkpoint() if (unsaved.days >= 0).any() else ""
        containers.append(ContainerEntry(name, learned.slow, closed))
    return WorkloadEntry(
        tracked.key,
        tracked.api_version,
        tracked.by_runs,
        tracked.last_seen_s,
        containers,
        [RunEntry(pod, run.started_s, run.last_s, list(run.rows)) for pod, run in runs],
        [
            StartEntry(
                key[1], key[2], of.started_s, of.microcores.astype("<i8").tobytes(), of.samples.astype("<i8").tobytes()
            )
            for key, of in starts
        ],
        encode_watch(tracked.watch) if tracked.watch.applied_s or tracked.watch.regression is not None else "",
    )


def recording_of(entry: StartEntry, workload: WorkloadKey) -> Recording:
    """The recording that an entry holds. Raises ValueError where it is not whole."""
    microcores, samples = np.frombuffer(entry.microcores, "<i8"), np.frombuffer(entry.samples, "<i8")
    if len(microcores) != MINUTES or len(samples) != MINUTES:
        raise ValueError(f"recorded start of {entry.pod}: {len(microcores)} minutes; {MINUTES} are needed")
    return Recording(entry.started_s, workload, microcores.astype(np.int64), samples.astype(np.int64))


def _columns(of: OpenSketches, rows: Rows) -> Columns:
    """Rows beyond the reserved ones are empty."""
    of.reserve(int(rows.max(initial=-1)) + 1)
    counts = of.counts[rows]
    filled = counts > 0
    at, bucket = np.nonzero(filled)
    kept = _hours_that_matter(of, rows)
    hour_at, hour = np.nonzero(kept)
    return Columns(
        rows=len(rows),
        filled=filled.sum(axis=1).astype("<u2").tobytes(),
        buckets=bucket.astype(np.uint8).tobytes(),
        counts=_planes(counts[at, bucket].astype("<u4")),
        hours=kept.sum(axis=1).astype(np.uint8).tobytes() + hour.astype(np.uint8).tobytes(),
        load=_planes(of.load[rows][hour_at, hour].astype("<i8")),
        seconds=_planes(of.seconds[rows][hour_at, hour].astype("<u4")),
        replicas=_planes(of.replicas[rows][hour_at, hour].astype("<u2")),
        memory=_planes(of.memory_peak[rows].astype("<f8")),
    )


def _hours_that_matter(of: OpenSketches, rows: Rows) -> np.typing.NDArray[np.bool_]:
    """The last two hours, which can still grow or shrink, and the busiest of those before."""
    seconds = of.seconds[rows]
    known = seconds > 0
    hours = np.arange(HOURS)
    last = HOURS - 1 - known[:, ::-1].argmax(axis=1)
    late = known & (hours > last[:, None] - 2)
    cores = np.where(late, -1.0, of.load[rows] / np.maximum(seconds, 1) * of.replicas[rows])
    busiest = cores.argmax(axis=1)
    kept: np.typing.NDArray[np.bool_] = late | (known & (hours == busiest[:, None]))
    return kept


def _sketches(of: Columns, rows: int) -> OpenSketches:
    if of.rows != rows:
        raise ValueError(f"{of.rows} rows of counts for {rows} containers")
    sketches = OpenSketches()
    sketches.reserve(rows)
    filled = np.frombuffer(of.filled, "<u2").astype(np.int64)
    bucket = np.frombuffer(of.buckets, np.uint8).astype(np.int64)
    hours = np.frombuffer(of.hours, np.uint8).astype(np.int64)
    if len(filled) != rows or filled.sum() != len(bucket) or hours[:rows].sum() != len(hours) - rows:
        raise ValueError("columns do not fit together")
    at, hour_at, hour = np.repeat(np.arange(rows), filled), np.repeat(np.arange(rows), hours[:rows]), hours[rows:]
    if bucket.max(initial=0) >= BUCKETS or hour.max(initial=0) >= HOURS:
        raise ValueError("a bucket or an hour is out of range")
    sketches.counts[at, bucket] = _unplaned(of.counts, "<u4", len(bucket))
    sketches.load[hour_at, hour] = _unplaned(of.load, "<i8", len(hour))
    sketches.seconds[hour_at, hour] = _unplaned(of.seconds, "<u4", len(hour))
    sketches.replicas[hour_at, hour] = _unplaned(of.replicas, "<u2", len(hour))
    memory = _unplaned(of.memory, "<f8", rows).astype(np.float64)
    sketches.memory_peak[:rows] = np.where(np.isfinite(memory) & (memory > 0), memory, 0.0)
    return sketches


def _planes(values: np.typing.NDArray[np.generic]) -> bytes:
    """Bytes of equal weight side by side: they compress far better than numbers side by side."""
    return np.ascontiguousarray(values.view(np.uint8).reshape(len(values), values.itemsize).T).tobytes()


def _unplaned(planes: bytes, kind: str, count: int) -> np.typing.NDArray[np.generic]:
    size = np.dtype(kind).itemsize
    if len(planes) != count * size:
        raise ValueError(f"a column of {len(planes)} bytes for {count} values of {size}")
    together = np.frombuffer(planes, np.uint8).reshape(size, count).T
    return np.ascontiguousarray(together).view(kind).reshape(count)
