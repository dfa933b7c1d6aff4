"""From trace rows to workloads: which VMs form one Deployment or Job, and which class it gets.

The trace knows sizes, tenants' batches and lifetimes, and nothing else. The rule that turns them into Kubernetes
objects is ours, is printed in the report and looks at nothing but replicas and lifetime (`class_of`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from demo.trace import VirtualMachine

JOB_BELOW_S = 2 * 3600
STANDARD_FROM_S = 12 * 3600
CRITICAL_FROM_S = 24 * 3600
CRITICAL_FROM_REPLICAS = 3
RULE = (
    "VMs of one tenant's batch with equal size and equal lifetime are one owner. Below 2 h of life it is a Job of class batch; "
    "above, a Deployment: critical from 24 h and 3 replicas on, standard from 12 h on, elastic below."
)


class Kind(StrEnum):
    """The kind of the owner."""

    DEPLOYMENT = "Deployment"
    JOB = "Job"


@dataclass(frozen=True, slots=True)
class Workload:
    """Equal VMs that arrive and leave together: one Deployment or Job."""

    name: str
    kind: Kind
    workload_class: str
    replicas: int
    cpu_millicores: int
    """Requested per pod: the size of the VM."""
    memory_bytes: int
    """Requested per pod: the size of the VM."""
    arrival_s: int
    """Seconds of trace time from the start of the window; negative when it was there before."""
    departure_s: int | None
    """The same for its end, None when it outlives the window for certain."""

    @property
    def is_standing(self) -> bool:
        """Whether it was there before the window."""
        return self.arrival_s < 0


def class_of(lifetime_s: int | None, replicas: int) -> str:
    """The class by the stated `RULE`; a lifetime of None is longer than any."""
    if lifetime_s is not None and lifetime_s < JOB_BELOW_S:
        return "batch"
    if (lifetime_s is None or lifetime_s >= CRITICAL_FROM_S) and replicas >= CRITICAL_FROM_REPLICAS:
        return "critical"
    return "standard" if lifetime_s is None or lifetime_s >= STANDARD_FROM_S else "elastic"


def workloads_of(trace: Iterable[VirtualMachine]) -> list[Workload]:
    """Group rows into workloads, in the order of the first row of each."""
    groups: dict[tuple[int, str, int | None], list[VirtualMachine]] = {}
    for row in trace:
        groups.setdefault((row.batch, row.flavor, row.lifetime_bin), []).append(row)
    return [_workload(members) for members in groups.values()]


def first_pods(workloads: Sequence[Workload], pods: int) -> list[Workload]:
    """The first workloads that together have at most ``pods`` pods, but at least one workload."""
    totals = accumulate(workload.replicas for workload in workloads)
    kept = [workload for workload, total in zip(workloads, totals, strict=True) if total <= pods]
    return kept or list(workloads[:1])


def peak_demand(workloads: Sequence[Workload]) -> tuple[int, int]:
    """The largest CPU (millicores) and memory (bytes) requested at one time within the window, each for itself."""
    changes: list[tuple[int, int, int]] = []
    for workload in workloads:
        cpu, memory = workload.cpu_millicores * workload.replicas, workload.memory_bytes * workload.replicas
        changes.append((max(0, workload.arrival_s), cpu, memory))
        if workload.departure_s is not None:
            changes.append((workload.departure_s, -cpu, -memory))
    changes.sort()  # at equal times departures come first: their amounts are negative
    return (
        max(accumulate((cpu for _, cpu, _ in changes), initial=0)),
        max(accumulate((memory for _, _, memory in changes), initial=0)),
    )


def _workload(members: Sequence[VirtualMachine]) -> Workload:
    first = members[0]
    workload_class = class_of(first.lifetime_s, len(members))
    lifetime_bin = "open" if first.lifetime_bin is None else str(first.lifetime_bin)
    return Workload(
        name=f"batch-{first.batch}-{first.flavor}-{lifetime_bin}",
        kind=Kind.JOB if workload_class == "batch" else Kind.DEPLOYMENT,
        workload_class=workload_class,
        replicas=len(members),
        cpu_millicores=first.cpu_millicores,
        memory_bytes=first.memory_bytes,
        arrival_s=first.arrival_s,
        departure_s=None if first.lifetime_s is None else first.arrival_s + first.lifetime_s,
    )
