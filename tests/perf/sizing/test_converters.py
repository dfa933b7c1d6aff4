"""Traces in the schema of the replay."""

from __future__ import annotations

import polars as pl
import pytest

from perf.sizing.converters import bitbrains, crane, online_boutique
from perf.sizing.measure import load, until
from recommender.replaying.usage import usage_of


def test_bitbrains_units() -> None:
    row = {"vm": 7, "t": 300, "cores": 4, "mem_prov_kb": 2048, "cpu_pct": 12.5, "mem_used_kb": 1024}
    usage = usage_of(bitbrains(pl.DataFrame([row])), "test")
    assert usage.names == (("vm-7", "vm"),)
    assert usage.cpu.tolist() == [500.0]  # 12.5 % of 4 cores
    assert usage.memory.tolist() == [2.0**20]
    assert usage.cpu_provisioned.tolist() == [4000.0]
    assert usage.t_s.tolist() == [1_372_629_900]


def test_pods_of_a_deployment_are_one_workload() -> None:
    rows = [
        {"t": "60", "pod": "cartservice-579f59597d-wc2lz", "cpu_m": "1.5", "mem_mib": "2"},
        {"t": "120", "pod": "cartservice-6f6f59597d-ab3c4", "cpu_m": "2.5", "mem_mib": "3"},
    ]
    usage = usage_of(online_boutique(pl.DataFrame(rows)), "test")
    assert usage.names == (("cartservice", "server"),)
    assert usage.cpu.tolist() == [1.5, 2.5]


def test_crane_series_are_scaled_by_their_first_week_only() -> None:
    rows = [{"series": 1, "ts": day * 86_400, "value": 4.0 if day < 7 else 8.0} for day in range(10)]
    usage = usage_of(crane(pl.DataFrame(rows)), "test")
    assert usage.cpu.tolist() == pytest.approx([1000.0] * 7 + [2000.0] * 3)


def test_the_shipped_samples_load_and_can_be_cut() -> None:
    traces = load(None)
    assert {name: len(trace.usage.names) for name, trace in traces.items()} == {
        "bitbrains": 12,
        "online-boutique": 10,
        "crane": 3,
    }
    cut = until(traces["bitbrains"].usage, 3)
    assert cut.days == 3
    assert cut.names == traces["bitbrains"].usage.names
