"""Public traces in the schema of `stowplan replay` (see recommender.replaying.usage). Sources and licences are in data/README.md.

Each converter takes the trace as the sources offer it (columns as described there) and gives a table of the schema.
"""

from __future__ import annotations

from typing import Final

import polars as pl

BITBRAINS_START_S: Final = 1_372_629_600
"""2013-06-30 22:00:00 UTC, the zero of the Bitbrains extract's clock."""


def bitbrains(trace: pl.DataFrame) -> pl.DataFrame:
    """GWA-T-12 VMs: `vm,t,cores,mem_prov_kb,cpu_pct,mem_used_kb`. Usage above 100 % (turbo) is kept as it is."""
    return trace.select(
        workload=pl.format("vm-{}", pl.col("vm")),
        container=pl.lit("vm"),
        t_s=pl.col("t").cast(pl.Int64) + BITBRAINS_START_S,
        cpu_cores=pl.col("cores").cast(pl.Float64) * pl.col("cpu_pct").cast(pl.Float64) / 100,
        memory_bytes=pl.col("mem_used_kb").cast(pl.Float64) * 1024,
        cpu_provisioned=pl.col("cores").cast(pl.Float64),
        memory_provisioned=pl.col("mem_prov_kb").cast(pl.Float64) * 1024,
    )


def online_boutique(trace: pl.DataFrame) -> pl.DataFrame:
    """Pods of Online Boutique: `t,pod,cpu_m,mem_mib,...`. The workload is the Deployment: the pod's name without its two hashes."""
    return trace.select(
        workload=pl.col("pod").str.replace(r"-[0-9a-f]+-[0-9a-z]{5}$", ""),
        container=pl.lit("server"),
        t_s=pl.col("t").cast(pl.Float64).cast(pl.Int64),
        cpu_cores=pl.col("cpu_m").cast(pl.Float64) / 1000,
        memory_bytes=pl.col("mem_mib").cast(pl.Float64) * 2**20,
    )


def crane(trace: pl.DataFrame, *, scaled: bool = True) -> pl.DataFrame:
    """Series of Crane's fixtures: `series,ts,value`, which have no unit; `scaled` makes each one core on average over its first 7 days."""
    value = pl.col("value").cast(pl.Float64)
    early = pl.col("ts") < pl.col("ts").min().over("series") + 7 * 86_400
    scale = value.filter(early).mean().over("series") if scaled else pl.lit(1.0)
    return trace.select(
        workload=pl.format("series-{}", pl.col("series")),
        container=pl.lit("all"),
        t_s=pl.col("ts").cast(pl.Int64),
        cpu_cores=value / scale,
        memory_bytes=pl.lit(None, dtype=pl.Float64),
    )
