"""What a simulation is about: nodes (or node types) and pods with their times, in integers."""

from __future__ import annotations

from dataclasses import dataclass

GPU_SCALE = 1000
"""A whole GPU in thousandths: the unit of `gpu_milli`."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node; in an elastic simulation a node type, of which as many open as are needed."""

    name: str
    cpu_millicores: int
    memory_bytes: int
    gpu_count: int = 0
    gpu_model: str = ""
    zone: str = ""
    price_micro_usd_per_hour: int = 0
    """Its price, or an estimate from what it offers where the table names none."""
    capacity_type: str = "on-demand"
    max_pods: int = 110


@dataclass(frozen=True, slots=True)
class PodShape:
    """What a pod asks for. Pods of one shape are interchangeable to every policy that does not look at owners or times."""

    cpu_millicores: int
    memory_bytes: int
    gpu_count: int = 0
    gpu_milli: int = 0
    """Thousandths of each device: 1000 where `gpu_count` is above 1."""
    gpu_models: tuple[str, ...] = ()
    """Sorted models one of which the node must have; empty for any."""

    @property
    def gpu_total(self) -> int:
        """Thousandths of GPUs in all."""
        return self.gpu_count * self.gpu_milli


@dataclass(frozen=True, slots=True)
class PodRow:
    """A pod of a trace."""

    index: int
    """Position in the trace: the last tie-break, and its identity."""
    name: str
    shape: PodShape
    owner: str = ""
    """The workload it belongs to: pods of one owner are expected to live alike."""
    namespace: str = "default"
    workload_class: str = ""
    max_per_node: int = 0
    """How many pods of its owner may share a node; 0 for any number."""
    arrival_s: int = 0
    departure_s: int | None = None
    """When it leaves; None for never."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The input of a simulation."""

    nodes: tuple[NodeRow, ...]
    pods: tuple[PodRow, ...]
    """In order of arrival."""
    elastic: bool = False
    """Whether `nodes` are types that open on demand and close when empty."""
    timed: bool = False
    """Whether pods have times; without, all arrive at once in the order given and stay."""
