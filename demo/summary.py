"""From what was observed in a run to its result. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.cluster import DemoNode
from demo.metrics import Latency, latency_of, latency_of_values
from demo.pods import PodRecord
from demo.replay import Timing
from demo.result import ClassCount, NodeFill, RunResult, Sample, Story, Unplaced
from demo.risk import risk_by_class
from demo.scrape import Scrape
from demo.timeline import MICRO_USD, Point, Resident, at, cost_between, lower_bound_usd_per_hour
from demo.workload import Workload

_SAMPLES = 240
"""Points of a plotted line."""
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything a run has seen. Moments are seconds of the run."""

    workloads: Sequence[Workload]
    nodes: Sequence[DemoNode]
    timing: Timing
    records: Sequence[PodRecord]
    points: Sequence[Point]
    residents: Sequence[Resident]
    """The pods on nodes at the end of the window."""
    latencies: Scrape
    """What the services observed during the run."""
    largest_lag: float
    story: Story | None


def summarize(seen: Observation) -> RunResult:
    """All numbers of a run."""
    timing = seen.timing
    cost = cost_between(seen.points, timing.lead_in_seconds, timing.end, seen.nodes)
    last = at(seen.points, timing.end)
    expected = sum(workload.replicas for workload in seen.workloads)
    unplaced = _unplaced(seen.workloads, seen.records)
    missing = sum(entry.pods for entry in unplaced)
    return RunResult(
        pods=expected,
        placed=expected - missing,
        unplaced=missing,
        nodes_used=round(cost.nodes),
        cost_per_hour=round(cost.usd_per_hour, 4),
        pods_per_second=_throughput(seen.workloads, seen.records),
        webhook_ms=latency_of(seen.latencies.webhook),
        extender_ms=latency_of(seen.latencies.extender),
        node_hours_cost=round(cost.usd_per_hour * timing.window_seconds / _SECONDS_PER_HOUR, 4),
        mean_nodes_used=round(cost.nodes, 2),
        peak_nodes_used=cost.peak_nodes,
        end_nodes_used=last.nodes,
        end_cost_per_hour=round(last.micro_usd_per_hour / MICRO_USD, 4),
        lower_bound_per_hour=round(cost.lower_bound_usd_per_hour, 4),
        scheduling_ms=_scheduling(seen.records),
        admission_ms=latency_of(seen.latencies.admission),
        replacements=max(0, len(seen.records) - expected),
        scheduled_by=dict(Counter(record.scheduler_name for record in seen.records if record.bound is not None)),
        largest_lag_ms=round(seen.largest_lag * 1000, 1),
        decisions={name: count for name, count in sorted(seen.latencies.decisions.items()) if count},
        classes=_classes(seen.workloads, seen.records),
        unplaced_pods=unplaced,
        requested_cores=round(cost.cpu_millicores / 1000, 1),
        risk=risk_by_class(seen.workloads, _requests(seen.records)),
        timeline=_timeline(seen),
        node_fill=_fill(seen.nodes, seen.residents),
        story=seen.story,
    )


def _requests(records: Sequence[PodRecord]) -> dict[str, int]:
    """Millicores that the pods of each workload had; of its first pod, if they differ."""
    requests: dict[str, int] = {}
    for record in records:
        requests.setdefault(record.workload, record.cpu_millicores)
    return requests


def _bound(records: Sequence[PodRecord]) -> Mapping[str, int]:
    return Counter(record.workload for record in records if record.bound is not None)


def _unplaced(workloads: Sequence[Workload], records: Sequence[PodRecord]) -> tuple[Unplaced, ...]:
    """Per workload, the replicas that never got a node, with the scheduler's last word on one of them."""
    bound = _bound(records)
    created = Counter(record.workload for record in records)
    words = {record.workload: record.refused for record in records if record.bound is None and record.refused}
    entries = []
    for workload in workloads:
        missing = workload.replicas - bound.get(workload.name, 0)
        if missing > 0:
            reason = words.get(workload.name, "")
            if not reason and created[workload.name] < workload.replicas:
                reason = "the workload was deleted at the end of its life before its controller had created all pods"
            entries.append(Unplaced(workload.name, workload.workload_class, missing, reason))
    return tuple(entries)


def _throughput(workloads: Sequence[Workload], records: Sequence[PodRecord]) -> float:
    """Pods of the opening wave per second, from the first one's creation to the last one's node."""
    opening = {workload.name for workload in workloads if workload.is_standing}
    wave = [record for record in records if record.workload in opening and record.bound is not None]
    if not wave:
        return 0.0
    seconds = max(record.bound or 0.0 for record in wave) - min(record.created for record in wave)
    return round(len(wave) / seconds, 1) if seconds > 0 else 0.0


def _scheduling(records: Sequence[PodRecord]) -> Latency | None:
    return latency_of_values([record.bound - record.created for record in records if record.bound is not None])


def _classes(workloads: Sequence[Workload], records: Sequence[PodRecord]) -> dict[str, ClassCount]:
    bound = _bound(records)
    counts = {}
    for name in sorted({workload.workload_class for workload in workloads}):
        members = [workload for workload in workloads if workload.workload_class == name]
        counts[name] = ClassCount(
            pods=sum(workload.replicas for workload in members),
            placed=sum(min(workload.replicas, bound.get(workload.name, 0)) for workload in members),
            scheduling_ms=_scheduling([record for record in records if record.workload_class == name]),
        )
    return counts


def _timeline(seen: Observation) -> tuple[Sample, ...]:
    """Evenly spaced samples of the window."""
    timing = seen.timing
    samples = []
    for index in range(_SAMPLES + 1):
        share = index / _SAMPLES
        point = at(seen.points, timing.lead_in_seconds + timing.replay_seconds * share)
        bound = lower_bound_usd_per_hour(seen.nodes, point.cpu_millicores, point.memory_bytes)
        samples.append(
            Sample(
                trace_hours=round(timing.window_seconds * share / _SECONDS_PER_HOUR, 4),
                nodes=point.nodes,
                cost_per_hour=round(point.micro_usd_per_hour / MICRO_USD, 4),
                lower_bound=round(bound, 4),
                pods=point.pods,
            )
        )
    return tuple(samples)


def _fill(nodes: Sequence[DemoNode], residents: Sequence[Resident]) -> tuple[NodeFill, ...]:
    """Every node, the fullest first."""
    by_node: dict[str, list[Resident]] = {}
    for resident in residents:
        by_node.setdefault(resident.node, []).append(resident)
    fills = []
    for node in nodes:
        held = by_node.get(node.name, [])
        fills.append(
            NodeFill(
                name=node.name,
                instance_type=node.instance_type,
                zone=node.zone,
                cost_per_hour=round(node.price_micro_usd_per_hour / MICRO_USD, 4),
                cpu=round(sum(resident.cpu_millicores for resident in held) / node.cpu_millicores, 4),
                memory=round(sum(resident.memory_bytes for resident in held) / node.memory_bytes, 4),
                pods=len(held),
            )
        )
    return tuple(sorted(fills, key=lambda fill: (-max(fill.cpu, fill.memory), fill.name)))
