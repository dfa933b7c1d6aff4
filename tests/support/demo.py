"""Builders for the demo's tests."""

from demo.cluster import DemoNode
from demo.metrics import Latency
from demo.pods import PodRecord
from demo.result import ClassCount, DemoResult, NodeFill, RunResult, Sample, Story, Unplaced
from demo.workload import Kind, Workload


def node(name: str = "n1", *, cores: int = 4, gib: int = 8, price: int = 200_000) -> DemoNode:
    """A node; price in micro-dollars an hour."""
    return DemoNode(name, "m5.xlarge", "us-east-1a", cores * 1000, gib * 2**30, price)


def workload(
    name: str = "w",
    *,
    kind: Kind = Kind.DEPLOYMENT,
    workload_class: str = "standard",
    replicas: int = 1,
    cores: int = 1,
    gib: int = 2,
    arrival_s: int = 0,
    departure_s: int | None = None,
) -> Workload:
    """A workload of equal pods."""
    return Workload(name, kind, workload_class, replicas, cores * 1000, gib * 2**30, arrival_s, departure_s)


def record(
    uid: str, of: str = "w", *, created: float = 0.0, bound: float | None = None, node_name: str = "", refused: str = ""
) -> PodRecord:
    """One pod of a workload."""
    return PodRecord(
        name=f"{of}-{uid}",
        uid=uid,
        workload=of,
        workload_class="standard",
        created=created,
        bound=bound,
        node=node_name,
        refused=refused,
    )


def run_result(mean_cost: float = 10.0, unplaced: tuple[Unplaced, ...] = (), story: Story | None = None) -> RunResult:
    """A run of four pods, less those unplaced."""
    missing = sum(entry.pods for entry in unplaced)
    return RunResult(
        pods=4,
        placed=4 - missing,
        unplaced=missing,
        nodes_used=2,
        pods_per_second=50.0,
        webhook_ms=Latency(0.8, 3.0) if story else None,
        extender_ms=Latency(0.4, 2.0) if story else None,
        node_hours_cost=60.0,
        cost_per_hour=mean_cost,
        mean_nodes_used=2.5,
        peak_nodes_used=3,
        end_nodes_used=2,
        end_cost_per_hour=9.0,
        lower_bound_per_hour=5.0,
        scheduling_ms=Latency(50.0, 200.0),
        admission_ms=None,
        replacements=0,
        scheduled_by={"default-scheduler": 4 - missing},
        largest_lag_ms=12.0,
        decisions={"planned": 3, "greedy": 1} if story else {},
        classes={"standard": ClassCount(4, 4 - missing, Latency(50.0, 200.0))},
        unplaced_pods=unplaced,
        timeline=(Sample(0.0, 2, 9.0, 4.0, 3), Sample(6.0, 2, 9.0, 5.0, 4)),
        node_fill=(NodeFill("n1", "m5.xlarge", "us-east-1a", 0.2, 0.9, 0.5, 3),),
        story=story,
    )


def demo_result(runs: dict[str, RunResult]) -> DemoResult:
    """A demo with these runs."""
    return DemoResult(
        runs=runs,
        seed=0,
        window_hours=6.0,
        replay_seconds=54.0,
        existing_cluster=False,
        cluster={
            "nodes": 3,
            "cpu_cores": 12.0,
            "memory_gib": 24.0,
            "cost_per_hour": 0.6,
            "instance_types": {"m5.xlarge": 3},
        },
        machine={"cpus": 2, "load_average": 0.5},
        versions={"stowplan": "0.1.0"},
        started_at="2026-01-01T00:00:00+00:00",
        seconds=200.0,
    )
