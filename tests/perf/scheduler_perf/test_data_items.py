"""What scheduler_perf writes is read by its labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf.scheduler_perf.data_items import attempt_ms, read, throughput

GOLDEN = Path(__file__).parents[2] / "golden" / "perf" / "scheduler_perf"


def test_throughput_and_attempts_of_a_real_run() -> None:
    # The file's own "Average" and "Perc" buckets, to three digits.
    items = read(GOLDEN)
    assert throughput(items) == {"mean": 145.797, "p50": 136.0, "p90": 204.922, "p99": 204.922}
    assert attempt_ms(items) == {"mean": 271.724, "p50": 163.478, "p90": 736.619, "p99": 1804.19}


def test_nothing_measured_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no data items"):
        read(tmp_path)


def test_a_renamed_metric_is_an_error() -> None:
    items = [{"labels": {"Metric": "NewName"}, "data": {"Average": 1.0}, "unit": "pods/s"}]
    with pytest.raises(ValueError, match="no data item for SchedulingThroughput"):
        throughput(items)
