"""A pod as scheduling sees it: a signature that equal pods share, and the little that is its own.

Memory is the reason for the split: at 150,000 pods only the per-pod part is multiplied (measured in the design: 28 kB a pod as a dict).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final

from stowplan.model.selectors import Expression, LabelSelector, NodeSelectorTerm, Toleration


@dataclass(frozen=True, slots=True)
class Owner:
    """The controlling owner reference."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port taken on the node itself. Conflicts: same protocol and port, and equal addresses or one of them `0.0.0.0`."""

    address: str
    protocol: str
    port: int

    def conflicts(self, other: HostPort) -> bool:
        """Whether both cannot live on one node."""
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.address == other.address or "0.0.0.0" in (self.address, other.address)


@dataclass(frozen=True, slots=True)
class PodAffinityTerm:
    """A (anti-)affinity term: pods of `namespaces` that match `selector`, counted by the node label `topology_key`."""

    selector: LabelSelector | None
    topology_key: str
    namespaces: tuple[str, ...]
    """Resolved: the pod's own namespace where the term names none."""
    namespace_selector: LabelSelector | None = None
    """Not None only where the term selects namespaces by label; deciding it needs the namespaces' labels."""
    weight: int = 0
    """1 to 100 for a preferred term, 0 for a required one."""


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A topology spread constraint; `hard` is DoNotSchedule."""

    topology_key: str
    max_skew: int
    hard: bool
    selector: LabelSelector | None
    """With the pod's own values of `matchLabelKeys` already merged in."""
    min_domains: int = 1
    honor_node_affinity: bool = True
    honor_taints: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaLimit:
    """Most replicas of a service in one place: a count, or a percentage of all its replicas (the other one is 0)."""

    count: int = 0
    percent: int = 0

    def most(self, replicas: int) -> int:
        """The limit for a service of so many replicas; at least one."""
        return self.count or max(1, replicas * self.percent // 100)


@dataclass(frozen=True, slots=True)
class Gang:
    """A group of pods that need all or nothing: fewer than its least number are of no use."""

    name: str
    """In the pod's namespace."""
    least: int = 0
    """Pods that must stand together; 0 where a PodGroup says it, or all do."""
    whole: bool = False
    """All pods of the group that stand, wait or are still to be created."""


@dataclass(frozen=True, slots=True)
class PreferredNodes:
    """A preferred node affinity term and its weight (1 to 100)."""

    term: NodeSelectorTerm
    weight: int


@dataclass(frozen=True, slots=True)
class PodSignature:
    """All that decides where a pod may go and what it costs there; pods with one signature are interchangeable.

    The word is kube-scheduler's (KEP-5598). Labels that differ between replicas of one workload (StatefulSet pod name and index,
    Job completion index) are left out.
    """

    namespace: str
    labels: tuple[tuple[str, str], ...]
    requests: tuple[tuple[str, int], ...]
    """Effective requests, sorted by resource, with `pods`: 1."""
    owner_key: str = ""
    """`Kind/name` of the controlling owner, empty for a bare pod: plan slots are kept by owner group."""
    priority: int = 0
    workload_class: str = ""
    """Value of the class label or of the webhook's decision; empty where stowplan has not decided anything."""
    scheduler_name: str = "default-scheduler"
    node_selector: tuple[Expression, ...] = ()
    """`spec.nodeSelector`, as In expressions that must all hold."""
    required_nodes: tuple[NodeSelectorTerm, ...] | None = None
    """Required node affinity: any of the terms; None where there is none (an empty tuple matches no node)."""
    preferred_nodes: tuple[PreferredNodes, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    affinity: tuple[PodAffinityTerm, ...] = ()
    anti_affinity: tuple[PodAffinityTerm, ...] = ()
    preferred_affinity: tuple[PodAffinityTerm, ...] = ()
    """Preferred affinity and, with a negative weight, preferred anti-affinity."""
    per_node: ReplicaLimit | None = None
    """Most replicas of its service on one node, where the owner wrote it."""
    per_spot_pool: ReplicaLimit | None = None
    """Most replicas of its service in one spot pool, where the owner wrote it."""
    gang: Gang | None = None
    """The group with which it is placed or not at all."""
    images: tuple[str, ...] = ()
    """Of its containers, sorted; without a tag `:latest`."""
    talks_to: tuple[tuple[str, str], ...] = ()
    """Services (namespace and name) that it calls, where the owner wrote it: each hop between zones costs latency."""
    unplannable: str = ""
    """Not empty where the pod has needs the planner does not model (volumes bound to nodes, resource claims ...): which one."""
    pinned: str = ""
    """Not empty where the pod must not be moved once it stands: why (an annotation of its owner, local data, a batch job's work)."""
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Computed once: signatures are keys of most books about pods, and hashing all of one takes microseconds."""
        if self._hash == 0:
            object.__setattr__(self, "_hash", hash(tuple(getattr(self, name) for name in _DECIDING)))
        return self._hash

    def __reduce__(self) -> tuple[type[PodSignature], tuple[object, ...]]:
        """Without the hash: those of strings differ between processes."""
        return PodSignature, tuple(getattr(self, name) for name in _DECIDING)


_DECIDING: Final = tuple(field.name for field in fields(PodSignature) if field.init)


@dataclass(slots=True)
class Pod:
    """One pod: identity, signature (shared) and where it stands."""

    uid: str
    namespace: str
    name: str
    signature: PodSignature
    owner: Owner | None = None
    node_name: str = ""
    nominated_node: str = ""
    created_s: int = 0
    """Unix seconds."""
    ends_s: int = 0
    """Unix seconds at which its deadline (`spec.activeDeadlineSeconds`) ends it, counted from its creation until it starts; 0 for none."""
    finished: bool = False
    """Succeeded or Failed: takes no room any more."""
    deleting: bool = False
    gated: bool = False
    """Has scheduling gates of others: not to be planned yet."""
    held: bool = False
    """Has our own scheduling gate: to be planned, and not scheduled before that (`extender.gating`)."""
    unschedulable: bool = False
    """kube-scheduler has found no node for it (condition PodScheduled is False for the reason Unschedulable)."""

    @property
    def pending(self) -> bool:
        """Waiting for a node, or held by us until there is a plan: to be planned."""
        return not (self.node_name or self.finished or self.deleting or self.gated)
