"""Cuts the demo's sample of recorded CPU use: ``python -m demo.data.prepare_usage usage.parquet``.

Values are those of the source, CPU to 2 decimals; nothing is filled in, clipped or drawn at random.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import polars as pl

from demo.usage import DAYS, SAMPLE

EPOCH_S = 1_372_629_600
"""Unix time of t = 0 in the source: 2013-06-30 22:00 UTC."""
FIRST_DAY_S = 1_375_315_200
"""2013-08-01 00:00 UTC; a Thursday."""
MACHINES = 24
COMPLETE_SAMPLES = DAYS * 288 * 99 // 100
"""Machines with less than 99 % of the samples of the days are left out."""
_SALT = "stowplan"


def order_of(machine: int) -> str:
    """The first machines in this order are taken: a hash of the number, so that nobody picked them."""
    return hashlib.sha256(f"{_SALT}/{machine}".encode()).hexdigest()


def cut(table: pl.DataFrame) -> pl.DataFrame:
    """Rows ``vm,t,cpu_pct`` of the chosen machines, `t` in seconds from `FIRST_DAY_S`."""
    start = FIRST_DAY_S - EPOCH_S
    rows = table.filter(pl.col("t").is_between(start, start + DAYS * 86_400, closed="left"))
    counts = rows.group_by("vm").len().filter(pl.col("len") >= COMPLETE_SAMPLES)
    chosen = sorted(counts["vm"].to_list(), key=order_of)[:MACHINES]
    return (
        rows.filter(pl.col("vm").is_in(chosen))
        .select("vm", pl.col("t") - start, pl.col("cpu_pct").cast(pl.Float64).round(2))
        .sort("vm", "t")
    )


def main(source: Path, target: Path) -> int:
    """Write the sample of `source` to `target`; returns the number of rows."""
    rows = cut(pl.read_parquet(source))
    text = rows.write_csv()
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))  # no time stamp: the same table gives the same file
    return rows.height


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]), Path(__file__).with_name(SAMPLE))} rows\n")
