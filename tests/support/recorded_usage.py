"""A recorded trace told as cAdvisor would tell it: counters that rise as it says, restarts, resets, gaps, and what must be ignored.

The truth is piecewise constant: from one recorded time to the next the container uses what was recorded at the later one.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from recommender.sources.observation import UsageSample

DATA = Path(__file__).parents[2] / "perf" / "sizing" / "data"
THROTTLED_SHARE = 0.25
"""Of all CFS periods; ten periods a second pass."""


@dataclass(frozen=True)
class Recording:
    """One container; times are whole Unix seconds, ascending, cores and bytes are those of the step that ends there."""

    pod: str
    times: Sequence[int]
    cores: Sequence[float]
    memory: Sequence[float]

    def core_seconds(self, t_s: int) -> float:
        """Used from the beginning of the recording to a time, in core-seconds."""
        at = bisect_left(self.times, t_s)
        whole = self._cumulated[min(at, len(self.times)) - 1] if at > 0 else 0.0
        if at in (0, len(self.times)):
            return whole
        return whole + (t_s - self.times[at - 1]) * self.cores[at]

    def __post_init__(self) -> None:
        cumulated = [0.0]
        for (start, end), cores in zip(pairwise(self.times), self.cores[1:], strict=True):
            cumulated.append(cumulated[-1] + (end - start) * cores)
        object.__setattr__(self, "_cumulated", cumulated)

    _cumulated: Sequence[float] = dataclasses.field(default=(), init=False, repr=False)

    def memory_at(self, t_s: int) -> float:
        """The working set of the step that a time is in."""
        return self.memory[min(bisect_left(self.times, t_s), len(self.times) - 1)]

    def mean_cpu(self, sample: UsageSample) -> float:
        """Millicores that the container truly used in the sample's time."""
        start = sample.t_s - sample.window_s
        return 1000 * (self.core_seconds(sample.t_s) - self.core_seconds(start)) / sample.window_s


@dataclass(frozen=True)
class Faults:
    """What befalls the container and its measurement; times are Unix seconds."""

    restarts: Sequence[int] = ()
    """It starts again: a new cgroup, its counters at 0."""
    resets: Sequence[int] = ()
    """Its counters begin again at 0 in the same cgroup."""
    gaps: Sequence[tuple[int, int]] = ()
    """No reading later than the first and earlier than the second."""

    def measured(self, t_s: int) -> bool:
        """Whether there is a reading at a time."""
        return not any(start < t_s < end for start, end in self.gaps)

    def incarnation(self, t_s: int) -> int:
        """How often the container had been started again before then: a reading at that very time is the last of the old one."""
        return bisect_left(self.restarts, t_s)

    def zero(self, t_s: int) -> int:
        """The time at which the counters last began at 0, if a reading shows it; 0 where that was before the recording."""
        began = sorted([*self.restarts, *self.resets])
        at = bisect_left(began, t_s)
        return began[at - 1] if at else 0


def exposition(recording: Recording, faults: Faults, t_s: int, replica: str = "") -> Iterator[tuple[str, str, float]]:
    """What cAdvisor says of the container at a time: (metric, labels, value)."""
    if not faults.measured(t_s):
        return
    zero = faults.zero(t_s)
    used = recording.core_seconds(t_s) - (recording.core_seconds(zero) if zero else 0.0)
    periods = 10.0 * (t_s - (zero or recording.times[0]))
    of = f'namespace="shop",pod="{recording.pod}"'
    more = f',replica="{replica}"' if replica else ""
    cgroup = f"/kubepods/{recording.pod}/{faults.incarnation(t_s)}"
    container = f'container="server",id="{cgroup}",image="fake",{of}{more}'
    yield "container_cpu_usage_seconds_total", f'{container},cpu="total"', used
    yield "container_memory_working_set_bytes", container, recording.memory_at(t_s)
    incarnation = faults.incarnation(t_s)
    yield (
        "container_start_time_seconds",
        container,
        float(faults.restarts[incarnation - 1] if incarnation else recording.times[0] - 7200),
    )
    yield "container_cpu_cfs_periods_total", container, periods
    yield "container_cpu_cfs_throttled_periods_total", container, periods * THROTTLED_SHARE
    # The cgroup of the whole pod and its pause container; counted in, they would be seen at once.
    yield (
        "container_cpu_usage_seconds_total",
        f'container="",id="/kubepods/{recording.pod}",{of}{more},cpu="total"',
        1e6 + 9 * used,
    )
    yield "container_cpu_usage_seconds_total", f'container="POD",id="/pause",{of}{more},cpu="total"', 1e6 + 9 * used


def bitbrains(count: int, end_s: int) -> list[Recording]:
    """Virtual machines, 14 days at 5 minutes, moved in time so that the recording ends at about `end_s`, on whole five minutes."""
    frame = pl.read_csv(DATA / "bitbrains.csv.gz")
    end = end_s - end_s % 300
    recordings = []
    for vm in sorted(frame["vm"].unique())[:count]:
        rows = frame.filter(pl.col("vm") == vm).unique("t").sort("t")
        times = [end - 300 * ((rows["t"].max() - t + 150) // 300) for t in rows["t"]]
        kept = [at for at, (t, after) in enumerate(zip(times, [*times[1:], end + 1], strict=True)) if t < after]
        cores = (rows["cores"] * rows["cpu_pct"] / 100).to_list()
        memory = (rows["mem_used_kb"] * 1024.0).to_list()
        recordings.append(
            Recording(f"vm-{vm}", [times[at] for at in kept], [cores[at] for at in kept], [memory[at] for at in kept])
        )
    return recordings


def online_boutique(count: int, start_s: int, step_s: int) -> list[Recording]:
    """Pods of Online Boutique, played from `start_s` on with a recorded minute every `step_s` seconds."""
    frame = pl.read_csv(DATA / "online_boutique.csv.gz")
    recordings = []
    for pod in sorted(frame["pod"].unique())[:count]:
        rows = frame.filter(pl.col("pod") == pod).sort("t").head(600)
        times = [start_s + step_s * at for at in range(rows.height)]
        cores, memory = rows["cpu_m"] / 1000, rows["mem_mib"] * 2.0**20
        recordings.append(Recording(pod, times, cores.to_list(), memory.to_list()))
    return recordings
