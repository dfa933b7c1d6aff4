"""Cuts the demo's sample out of the full table of arrivals: ``python -m demo.data.prepare vm_arrivals_dev.csv.gz``.

Rows are copied as they are; nothing is drawn at random, so that the same table always gives the same sample.
"""

import csv
import gzip
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from demo.trace import SAMPLE, WINDOW_END_S, WINDOW_START_S

KEEP_ONE_BATCH_IN = 60
"""Whole batches are kept or left out: a sample of single VMs would tear workloads apart."""
_SALT = "stowplan"


def is_sampled(batch: str) -> bool:
    """Whether a batch is in the sample: by a hash of its number, about one in `KEEP_ONE_BATCH_IN`."""
    digest = hashlib.sha256(f"{_SALT}/{batch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % KEEP_ONE_BATCH_IN == 0


def cut(rows: Iterable[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    """The sampled rows that live in the window: arrived before its end and (by the middle of their lifetime bin) left after its start.

    VMs that lived less than one bin of five minutes (2.7 %) are left out: in compressed time they would be over
    before a scheduler has seen them.
    """
    for row in rows:
        arrival = int(row["arrival_s"])
        lifetime = (int(row["lifetime_lo_s"]) + int(row["lifetime_hi_s"])) // 2
        leaves_later = row["censored"] == "1" or arrival + lifetime > WINDOW_START_S
        if lifetime > 0 and arrival < WINDOW_END_S and leaves_later and is_sampled(row["batch"]):
            yield row


def main(source: Path, target: Path) -> int:
    """Write the sample of ``source`` (gzipped CSV) to ``target``; returns the number of rows."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as table:
        rows = list(cut(csv.DictReader(table)))
    with target.open("w", encoding="utf-8", newline="") as sample:
        writer = csv.DictWriter(sample, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


if __name__ == "__main__":
    count = main(Path(sys.argv[1]), Path(__file__).with_name(SAMPLE))
    sys.stdout.write(f"{SAMPLE}: {count} rows\n")
