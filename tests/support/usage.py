"""Recordings made by hand for tests of the recommender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from recommender.amounts import DAY_S
from recommender.replaying.usage import Usage, usage_of

MONDAY = 20_003
"""2024-10-07 in days since the epoch: (20003 + 3) % 7 = 0."""


def recording(
    cpu: Mapping[str, Sequence[float]],
    memory: Mapping[str, Sequence[float]] | None = None,
    step_s: int = 3600,
    start_day: int = MONDAY,
) -> Usage:
    """Samples by workload, one each `step_s`, CPU in millicores, memory in bytes; the container is called `main`."""
    frames = []
    for name, values in cpu.items():
        of_memory = (memory or {}).get(name)
        frames.append(
            pl.DataFrame(
                {
                    "workload": [name] * len(values),
                    "container": ["main"] * len(values),
                    "t_s": np.arange(len(values)) * step_s + start_day * DAY_S,
                    "cpu_cores": np.array(values, dtype=np.float64) / 1000,
                    "memory_bytes": np.array(
                        of_memory if of_memory is not None else [float("nan")] * len(values), dtype=np.float64
                    ),
                }
            )
        )
    return usage_of(pl.concat(frames), "test")
