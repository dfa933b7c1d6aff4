"""The result of a demo, typed, and its JSON: the contract that scripts build on.

`runs` maps the name of a run to its numbers. `stock` and `stowplan` are there unless `--runs` left one out;
further runs are further keys. Keys are only ever added within one `schema_version`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.metrics import Latency
from demo.risk import ClassRisk

SCHEMA_VERSION = 1
_LATENCIES = ("webhook_ms", "extender_ms", "scheduling_ms", "admission_ms")


@dataclass(frozen=True, slots=True)
class Sample:
    """The cluster at one moment, for plots."""

    trace_hours: float
    """Hours from the start of the window."""
    nodes: int
    cost_per_hour: float
    lower_bound: float
    """Dollars an hour that no packing of the pods of this moment can go below."""
    pods: int


@dataclass(frozen=True, slots=True)
class NodeFill:
    """A node at the end of the window."""

    name: str
    instance_type: str
    zone: str
    cost_per_hour: float
    cpu: float
    """Requested share of allocatable, 0 to 1."""
    memory: float
    """Requested share of allocatable, 0 to 1."""
    pods: int


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Pods of one workload that never got a node."""

    workload: str
    workload_class: str
    pods: int
    reason: str
    """The scheduler's last word; empty when nobody said anything, which is a failure of the demo."""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """Pods of one class."""

    pods: int
    placed: int
    scheduling_ms: Latency | None


@dataclass(frozen=True, slots=True)
class Story:
    """Size and node of one pod, in sentences."""

    pod: str
    workload_class: str
    node: str
    size: str
    """The webhook's sentence."""
    placement: str
    """The extender's sentence."""
    explanation: Mapping[str, Any] = field(default_factory=dict)
    """Everything the extender said."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run. Money is dollars, times are milliseconds where the name says so."""

    pods: int
    placed: int
    unplaced: int
    nodes_used: int
    """Non-empty nodes: time-weighted mean over the window, rounded."""
    cost_per_hour: float
    """Price of the non-empty nodes: time-weighted mean over the window."""
    pods_per_second: float
    """Pods bound per second while the pods that were there before the window are created at once."""
    webhook_ms: Latency | None
    extender_ms: Latency | None
    node_hours_cost: float
    """Dollars for all non-empty nodes over the window, in trace time."""
    mean_nodes_used: float
    peak_nodes_used: int
    end_nodes_used: int
    """Non-empty nodes at the end of the window."""
    end_cost_per_hour: float
    """Price of the non-empty nodes at the end of the window."""
    lower_bound_per_hour: float
    """Time-weighted mean of the price that no packing could go below (fractional bound, not tight)."""
    scheduling_ms: Latency | None
    """From the pod's creation to its node, as a watcher sees it."""
    admission_ms: Latency | None
    """The webhook as the API server sees it: TLS, HTTP and waiting included."""
    replacements: int
    """Pods that controllers made in place of evicted or preempted ones."""
    scheduled_by: Mapping[str, int]
    """Bound pods by scheduler name."""
    largest_lag_ms: float
    """Most that a call of the replay was late: above a second the machine was too busy for fair numbers."""
    decisions: Mapping[str, int]
    """Answers of the extender by outcome: `planned`, `greedy` (price-weighted best fit), or why it stood aside."""
    classes: Mapping[str, ClassCount]
    unplaced_pods: tuple[Unplaced, ...]
    timeline: tuple[Sample, ...]
    node_fill: tuple[NodeFill, ...]
    story: Story | None = None
    requested_cores: float = 0.0
    """Time-weighted mean of what the pods on nodes requested."""
    risk: Mapping[str, ClassRisk] = field(default_factory=dict)
    """By class: the requests against recorded use on the day after the learned ones."""

    @property
    def explained(self) -> bool:
        """Whether every unplaced pod has a reason."""
        return all(entry.reason for entry in self.unplaced_pods)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """All runs of one demo and what they have in common."""

    runs: Mapping[str, RunResult]
    seed: int
    """The demo draws nothing at random; 0 is kept for scripts that expect the key."""
    window_hours: float
    """Trace time replayed."""
    replay_seconds: float
    """Time that took."""
    existing_cluster: bool
    """Whether it ran in a cluster that was there already, and not on fresh control planes."""
    cluster: Mapping[str, Any]
    """Nodes offered: number, CPU, memory, dollars an hour."""
    machine: Mapping[str, float]
    """Logical CPUs, and the load average of the last minute before the demo began."""
    versions: Mapping[str, str]
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    """The whole demo took this long."""
    schema_version: int = SCHEMA_VERSION


def to_json(result: DemoResult) -> str:
    """The machine-readable result. A latency that nobody measured keeps its keys, with null in them."""
    document = asdict(result)
    for run in document["runs"].values():
        for name in _LATENCIES:
            run[name] = run[name] or dict.fromkeys(("p50", "p99"))
    return json.dumps(document, indent=1, allow_nan=False)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new content, never half of it; two writers do not mix.

    Raises:
        OSError: the directory cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
