"""Rows and ratios from moments that were seen."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from perf.throughput.arms import ARMS, arms_named
from perf.throughput.burst import Burst, Moments, PodView, Used
from perf.throughput.summary import Row, row, summary
from perf.throughput.workload import Cluster, cluster, pods
from stowplan.kube.codec import ObjectKey


def view(name: str, node: str = "") -> PodView:
    return msgspec.convert({"metadata": {"name": name}, "spec": {"nodeName": node}}, PodView)


def a_row(arm: str, round_: int, pods_per_second: float) -> Row:
    return Row(
        arm,
        round_,
        10,
        5,
        5,
        pods_per_second,
        pods_per_second / 2,
        1.0,
        2.0,
        3_000_000,
        4_000_000,
        {"extender": 1000},
        {},
    )


def test_the_first_sight_and_the_first_node_of_a_pod_count() -> None:
    ticks = itertools.count(100.0)
    moments = Moments(clock=lambda: next(ticks))
    moments.replace([view("a"), view("b")])  # at 100 and 101
    moments.upsert(view("a", "n1"))  # 102 is asked for its creation and not used, 103 for its binding
    moments.upsert(view("a", "n2"))
    moments.delete(ObjectKey("throughput", "a", "uid"))

    assert moments.created == {"a": 100.0, "b": 101.0}
    assert moments.bound == {"a": 103.0}
    assert moments.nodes == {"a": "n1"}


def test_a_row_counts_pods_a_second_waits_and_newly_opened_nodes() -> None:
    made = Cluster([{}, {}, {}], [{"spec": {"nodeName": "old"}}], {"old": 5, "new": 7, "never": 11})
    moments = Moments(
        created={"a": 10.0, "b": 10.0, "c": 10.0},
        bound={"a": 11.0, "b": 11.5, "c": 12.0},
        nodes={"a": "old", "b": "new", "c": "new"},
    )

    made_row = row(ARMS["narrow"], 0, made, 3, Burst(moments, Used({"extender": 6}, {"extender": 3})))

    assert made_row.pods_per_second == 2.0  # two more pods within the second after the first
    assert made_row.overall_per_second == 1.5  # three pods within the two seconds after the first creation
    assert (made_row.wait_p50_ms, made_row.wait_p99_ms) == (1500.0, 2000.0)
    assert (made_row.opened, made_row.in_use) == (7, 12)  # "never" stays empty
    assert made_row.cpu_us_per_pod == {"extender": 2000}
    assert made_row.queued_us_per_pod == {"extender": 1000}


def test_nothing_placed_is_a_row_of_zeros() -> None:
    made_row = row(ARMS["narrow"], 0, Cluster([], [], {}), 3, Burst(Moments(), Used({}, {})))

    assert (made_row.placed, made_row.pods_per_second, made_row.wait_p50_ms) == (0, 0.0, 0.0)


def test_ratios_are_paired_by_round() -> None:
    rows = [a_row("stock", 0, 100.0), a_row("narrow", 0, 90.0), a_row("stock", 1, 50.0), a_row("narrow", 1, 55.0)]

    stock, narrow = summary(rows)

    assert stock["ratio"] == 1.0
    assert narrow["ratio"] == 1.0  # median of 0.9 and 1.1; 72.5 / 75 would be the unpaired one
    assert narrow["ratio_least"] == 0.9
    assert narrow["overall_ratio"] == 1.0
    assert narrow["overall_per_second"] == 36.25  # half of the median of 90 and 55
    assert narrow["opened_dollars"] == 3.0


def test_an_arm_brings_its_baseline() -> None:
    assert [arm.name for arm in arms_named("narrow-all, greedy")] == ["stock-all", "narrow-all", "stock", "greedy"]
    with pytest.raises(ValueError, match="arm 'nothing' is unknown; choose from stock, stock-all"):
        arms_named("stock,nothing")


def test_a_seed_gives_the_same_cluster_and_the_same_pods_under_the_names_of_the_run() -> None:
    made = cluster(50, seed=3)
    first, second = pods(30, 3, "r0-stock"), pods(30, 3, "r0-narrow")

    assert made == cluster(50, seed=3)
    assert made.in_use <= made.prices.keys()
    assert len(made.residents) == len(made.in_use)
    assert [pod["spec"] for pod in first] == [pod["spec"] for pod in second]
    gated = pods(30, 3, "r0-gates", gated=True)
    assert all(pod["spec"].pop("schedulingGates") == [{"name": "stowplan.dev/plan"}] for pod in gated)
    assert [pod["spec"] for pod in gated] == [pod["spec"] for pod in first]
    assert not {pod["metadata"]["name"] for pod in first} & {pod["metadata"]["name"] for pod in second}
