"""What the demo's workloads used before: recorded CPU of real machines, joined to the workloads by a stated rule.

The trace of arrivals knows sizes and lifetimes but no usage, the recording knows usage but no arrivals. Every workload is given one
recorded machine by a hash of its name, and used that machine's share of what it asked for. Memory is left out: the recording's is
the hypervisor's active memory, which is not what has to be resident.
"""

import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
import polars as pl

from demo.manifests import CONTAINER
from demo.workload import Workload
from recommender.amounts import Floats, Ints
from recommender.replaying.usage import Usage

SAMPLE: Final = "usage.csv.gz"
LEARNED_DAYS: Final = 14
DAYS: Final = LEARNED_DAYS + 1
"""The last day is the one on which the demo takes place; nothing of it is learned."""
RULE: Final = (
    "Each workload is given the recorded CPU use of one of 24 Bitbrains machines by a hash of its name, as a share of what it asked for. "
    "Sizes are learned from 14 days and judged on the 15th. Memory stays as written."
)

Recording = tuple[Ints, Floats]
"""Seconds from the first day's start, and the used share of what was provisioned (above 1 at times: turbo)."""


@cache
def recordings() -> Mapping[int, Recording]:
    """The shipped sample by machine number."""
    packed = resources.files("demo.data").joinpath(SAMPLE).read_bytes()
    table = pl.read_csv(io.BytesIO(gzip.decompress(packed)))
    return {
        int(rows["vm"][0]): (rows["t"].to_numpy().astype(np.int64), rows["cpu_pct"].to_numpy() / 100)
        for rows in table.partition_by("vm", maintain_order=True)
    }


def machine_of(workload: str, machines: Sequence[int]) -> int:
    """The machine whose use a workload is given."""
    return min(machines, key=lambda machine: hashlib.sha256(f"{workload}/{machine}".encode()).digest())


def usage_of(workloads: Sequence[Workload]) -> Usage:
    """The recorded use of each workload's pods, ordered by name; `DAYS` days."""
    machines = recordings()
    ordered = sorted(workloads, key=lambda workload: workload.name)
    series = [machines[machine_of(workload.name, list(machines))] for workload in ordered]
    lengths = [len(times) for times, _ in series]
    cpu = np.concatenate([share * of.cpu_millicores for (_, share), of in zip(series, ordered, strict=True)])
    asked = np.repeat([float(of.cpu_millicores) for of in ordered], lengths)
    unknown = np.full(len(cpu), np.nan)
    return Usage(
        names=tuple((of.name, CONTAINER) for of in ordered),
        container=np.repeat(np.arange(len(ordered)), lengths),
        t_s=np.concatenate([times for times, _ in series]),
        cpu=cpu,
        memory=unknown,
        cpu_provisioned=asked,
        memory_provisioned=unknown,
    )
