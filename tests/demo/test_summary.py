"""From observations to the numbers of a run."""

import math

from demo.metrics import Histogram, Latency
from demo.pods import PodRecord
from demo.replay import Timing
from demo.scrape import Scrape
from demo.summary import Observation, summarize
from demo.timeline import Point, Resident
from demo.workload import Workload
from tests.support.demo import node, record, workload

TIMING = Timing(window_seconds=7200, replay_seconds=20.0, lead_in_seconds=5.0)
"""Two hours of trace in 20 s, from 5 s to 25 s of the run."""
NOTHING = Scrape(Histogram(), Histogram(), Histogram())


def observation(
    workloads: list[Workload], records: list[PodRecord], points: list[Point] | None = None, **more: object
) -> Observation:
    defaults: dict[str, object] = {
        "nodes": [node("n1", cores=4, gib=8, price=500_000), node("n2")],
        "timing": TIMING,
        "points": points or [Point(0.0, 0, 0, 0, 0, 0)],
        "residents": [],
        "latencies": NOTHING,
        "largest_lag": 0.0,
        "story": None,
    }
    return Observation(workloads=workloads, records=records, **{**defaults, **more})  # type: ignore[arg-type]  # a builder


def test_pods_are_counted_by_workload() -> None:
    records = [record("1", bound=1.0, node_name="n1"), record("2", refused="0/2 nodes are available")]
    result = summarize(observation([workload("w", replicas=3)], records))

    assert (result.pods, result.placed, result.unplaced) == (3, 1, 2)
    (entry,) = result.unplaced_pods
    assert (entry.workload, entry.pods, entry.reason) == ("w", 2, "0/2 nodes are available")
    assert result.explained


def test_an_unplaced_pod_without_a_reason_is_not_explained() -> None:
    result = summarize(observation([workload("w")], [record("1")]))

    assert result.unplaced == 1
    assert not result.explained


def test_a_replaced_pod_is_not_placed_twice() -> None:
    records = [record(str(n), bound=1.0, node_name="n1") for n in range(3)]
    result = summarize(observation([workload("w", replicas=2)], records))

    assert (result.placed, result.unplaced, result.replacements) == (2, 0, 1)


def test_cost_is_accounted_over_the_window_and_at_its_end() -> None:
    points = [
        Point(0.0, 1, 1_000_000, 1, 1000, 2**30),
        Point(15.0, 3, 3_000_000, 3, 3000, 3 * 2**30),
        Point(30.0, 0, 0, 0, 0, 0),  # after the window
    ]
    result = summarize(observation([], [], points))

    # 10 s at $1 and 10 s at $3 are $2 on average, for 2 h of trace $4.
    assert result.cost_per_hour == 2.0
    assert result.node_hours_cost == 4.0
    assert result.mean_nodes_used == 2.0
    assert (result.end_nodes_used, result.end_cost_per_hour, result.peak_nodes_used) == (3, 3.0, 3)
    assert result.nodes_used == 2
    assert result.timeline[0].cost_per_hour == 1.0
    assert (result.timeline[-1].trace_hours, result.timeline[-1].cost_per_hour) == (2.0, 3.0)


def test_throughput_is_of_the_opening_wave() -> None:
    workloads = [workload("old", replicas=3, arrival_s=-1), workload("new", arrival_s=10)]
    records = [
        record("1", "old", created=1.0, bound=1.1),
        record("2", "old", created=1.2, bound=1.3),
        record("3", "old", created=1.2, bound=2.5),
        record("4", "new", created=9.0, bound=19.0),
    ]
    result = summarize(observation(workloads, records))

    assert result.pods_per_second == 2.0  # three pods in the 1.5 s from 1.0 to 2.5
    # Waits of 0.1, 0.1, 1.3 and 10 s: the second of four is the median, the fourth the 99th percentile.
    assert result.scheduling_ms == Latency(100.0, 10_000.0)


def test_latencies_come_from_the_services() -> None:
    histogram = Histogram({0.001: 0.0, 0.002: 100.0, math.inf: 100.0})
    result = summarize(observation([], [], latencies=Scrape(histogram, Histogram(), Histogram())))

    # All 100 between 1 and 2 ms: the 50th at 1.5 ms, the 99th at 1.99 ms.
    assert result.webhook_ms == Latency(1.5, 1.99)
    assert result.extender_ms is None


def test_the_fill_lists_every_node_the_fullest_first() -> None:
    residents = [Resident("n2", 1000, 2**30), Resident("n2", 2000, 3 * 2**30)]
    result = summarize(observation([], [], residents=residents))

    # n2 has 4 cores and 8 GiB: 3 of 4 and 4 of 8.
    assert [(fill.name, fill.cpu, fill.memory, fill.pods) for fill in result.node_fill] == [
        ("n2", 0.75, 0.5, 2),
        ("n1", 0.0, 0.0, 0),
    ]


def test_classes_are_counted_apart() -> None:
    workloads = [workload("a", replicas=2), workload("b", workload_class="batch")]
    result = summarize(observation(workloads, [record("1", "a", bound=0.5)]))

    assert {name: (count.pods, count.placed) for name, count in result.classes.items()} == {
        "standard": (2, 1),
        "batch": (1, 0),
    }
