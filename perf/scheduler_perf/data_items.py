"""Reads what scheduler_perf writes for the performance dashboard: data items, each with labels, buckets and a unit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

THROUGHPUT: Final = "SchedulingThroughput"
ATTEMPT: Final = "scheduler_scheduling_attempt_duration_seconds"
_KEPT: Final = {"Average": "mean", "Perc50": "p50", "Perc90": "p90", "Perc99": "p99"}


class NoItemError(ValueError):
    """What is looked for was not measured."""


def read(folder: Path) -> list[Mapping[str, Any]]:
    """All data items of a folder.

    Raises:
        NoItemError: there are none; the run has measured nothing.
    """
    items = [
        item
        for path in sorted(folder.glob("*.json"))
        for item in json.loads(path.read_text(encoding="utf-8"))["dataItems"]
    ]
    if not items:
        raise NoItemError(f"{folder} has no data items; see the test's output for what went wrong")
    return items


def throughput(items: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Pods scheduled a second: mean, p50, p90, p99 of the samples of each second.

    Raises:
        NoItemError: not among the items.
    """
    return _buckets(items, THROUGHPUT, {})


def attempt_ms(items: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Milliseconds of a successful scheduling attempt: mean and quantiles of the scheduler's own histogram.

    Raises:
        NoItemError: not among the items.
    """
    # The dashboard's unit for histograms of seconds is milliseconds.
    return _buckets(items, ATTEMPT, {"result": "scheduled"})


def _buckets(items: Iterable[Mapping[str, Any]], metric: str, labels: Mapping[str, str]) -> dict[str, float]:
    for item in items:
        if item["labels"].get("Metric") == metric and labels.items() <= item["labels"].items():
            return {name: round(item["data"][key], 3) for key, name in _KEPT.items() if key in item["data"]}
    raise NoItemError(
        f"no data item for {metric} {dict(labels) or ''}: the workload was over before a second was sampled, or this version of "
        "scheduler_perf names it otherwise"
    )
