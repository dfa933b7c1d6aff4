"""All parts, in the order in which they run and are shown."""

from __future__ import annotations

from typing import Final

from perf.part import Part
from perf.parts import (
    admission,
    azure,
    backlogs,
    churn,
    cold_start,
    openb,
    requests,
    scheduler_perf,
    sizing,
    throughput,
    tradeoff,
)

PARTS: Final[tuple[Part, ...]] = (
    openb.PART,
    azure.ELASTIC,
    azure.SHAPES,
    backlogs.BACKLOGS,
    backlogs.SCALING,
    tradeoff.PART,
    requests.PART,
    sizing.PART,
    throughput.PART,
    cold_start.PART,
    churn.PART,
    admission.PART,
    scheduler_perf.PART,
)
