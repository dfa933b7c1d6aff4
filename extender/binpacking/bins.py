"""What is packed and where: items (pod groups by signature) and bins (nodes), and which bins are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from extender.binpacking.eligibility import names_nodes, selector_keys
from extender.binpacking.prices import node_price, total_worth
from extender.cluster.node_load import busy_cpu
from extender.cluster.snapshot import NodeInfo, Snapshot
from stowplan.model.keys import ZONE
from stowplan.model.node import Node
from stowplan.model.placement import spot_pool
from stowplan.model.pod import PodSignature

_FURNITURE: Final = ("DaemonSet/", "Node/")
"""Owners whose pods do not keep a node in use: DaemonSet pods and mirror pods come and go with the node."""


@dataclass(frozen=True, slots=True)
class Item:
    """Pods of one signature that wait for a node."""

    signature: PodSignature
    count: int
    requests: Mapping[str, int]
    """Positive effective requests, with `pods`."""
    class_name: str = ""

    @property
    def cpu(self) -> int:
        """Millicores by which one pod is expected to load its node."""
        return self.requests.get("cpu", 0)


@dataclass(frozen=True, slots=True)
class Bin:
    """A node that may take pods."""

    info: NodeInfo
    free: Mapping[str, int]
    """Allocatable less used; negative where overcommitted."""
    price: int
    """Micro-dollars an hour."""
    empty: bool
    """Nothing but furniture (DaemonSet and mirror pods) stands on it: the first pod costs the whole price."""
    group: int
    """Empty bins with one group number are interchangeable for every item."""
    busy_cpu: int = 0
    """Millicores by which what stands on the node loads it: measured where it is in use and that is known, else requested."""
    kind: int = -1
    """Bins of one kind are alike to every item, but for what stands in their domains and for host ports; -1 is alone."""
    worth: int = 0
    """Of all it offers, in micro-dollars an hour (`prices.total_worth`)."""
    worth_free: int = 0
    """Of what is free."""

    @property
    def node(self) -> Node:
        """The node itself."""
        return self.info.node


def is_furniture(signature: PodSignature) -> bool:
    """Whether such pods leave a node empty: they belong to it."""
    return signature.owner_key.startswith(_FURNITURE)


def bins_of(
    infos: Sequence[NodeInfo], signatures: Sequence[PodSignature], residents: Iterable[PodSignature], snapshot: Snapshot
) -> tuple[Bin, ...]:
    """The nodes as bins.

    Args:
        infos: the nodes, in the order of the bins.
        signatures: of the items.
        residents: of the pods that stand anywhere.
        snapshot: for measured load.
    """
    labels = _Labels(infos, signatures, residents)
    groups: dict[object, int] = {}
    kinds: dict[object, int] = {}
    bins = []
    for info in infos:
        node = info.node
        empty = all(is_furniture(signature) for signature in info.residents)
        free = {name: amount - info.used.get(name, 0) for name, amount in node.allocatable.items()}
        # what an empty node happens to do (its agents start, an image unpacks) must not tell it from its like
        busy = busy_cpu(info.used, node.allocatable.get("cpu", 0), None if empty else snapshot.loads.get(node.name))
        face = _face(info)
        kind = kinds.setdefault((face, empty, busy, labels.read(node)), len(kinds))
        alike: object = node.name
        if empty and not labels.by_name:
            alike = (face, labels.interchangeable(node), frozenset(info.residents.items()))
        group = groups.setdefault(alike, len(groups))
        worths = total_worth(node.allocatable), total_worth(free)
        bins.append(Bin(info, free, node_price(node), empty, group, busy, kind, *worths))
    return tuple(bins)


class _Labels:
    """Which labels of nodes make a difference."""

    def __init__(
        self, infos: Sequence[NodeInfo], signatures: Sequence[PodSignature], residents: Iterable[PodSignature]
    ) -> None:
        self.by_name = any(names_nodes(signature) for signature in signatures)
        self._keys = selector_keys(signatures)
        self._topology = _topology_keys([*signatures, *residents])
        self._seen = Counter((k, i.node.labels[k]) for i in infos for k in self._topology & i.node.labels.keys())

    def read(self, node: Node) -> object:
        """What selectors read of a node, and the topology keys that it has."""
        present = node.labels.keys()
        selected = tuple((key, node.labels[key]) for key in sorted(self._keys & present))
        return (selected, frozenset(self._topology & present), node.name if self.by_name else "")

    def interchangeable(self, node: Node) -> object:
        """The same with domains. One of one node (its hostname) is as good as any other such, so its value does not matter."""
        return tuple(
            (key, value if key in self._keys or self._seen[key, value] > 1 else "")
            for key, value in sorted(node.labels.items())
            if key in self._keys or key in self._topology
        )


def _face(info: NodeInfo) -> object:
    """All that tells a node from another, but for its labels and the pods on it."""
    node = info.node
    return (
        tuple(info.used.items()),
        tuple(node.allocatable.items()),
        node.taints,
        node.ready and not node.unschedulable,
        node_price(node),
        node.capacity_type,
        spot_pool(node),
    )


def _topology_keys(signatures: Iterable[PodSignature]) -> frozenset[str]:
    keys: set[str] = set()
    for signature in signatures:
        keys.update(constraint.topology_key for constraint in signature.spread)
        terms = signature.affinity + signature.anti_affinity + signature.preferred_affinity
        keys.update(term.topology_key for term in terms)
        if signature.talks_to:
            keys.add(ZONE)
    return frozenset(keys)
