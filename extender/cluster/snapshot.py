"""The immutable view of the cluster that every decision reads. The cache is its only writer (`extender.cluster.cache`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from extender.cluster.node_load import NodeLoad
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node and what stands on it (kube-scheduler's NodeInfo)."""

    node: Node
    used: Mapping[str, int]
    """Sum of the effective requests of its pods, with `pods` their count."""
    residents: Mapping[PodSignature, int]
    """Its pods by signature; finished pods take no room and are not here."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one generation of the cache. Nothing in it may be changed."""

    generation: int
    nodes: Mapping[str, NodeInfo]
    pending: Mapping[PodSignature, int]
    """Pods without a node that ask for our scheduler, by signature."""
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels of the namespaces, for affinity terms that select namespaces."""
    expected: Mapping[PodSignature, int] = field(default_factory=dict)
    """Pods that owners still have to create, by signature: a guess (`extender.cluster.owners`). Planned for; no room is held for them."""
    loads: Mapping[str, NodeLoad] = field(default_factory=dict)
    """Node name -> its measured load; nodes without one are taken to be as loaded as requested."""
    pod_groups: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Namespace and name of a PodGroup -> its `minMember`."""
