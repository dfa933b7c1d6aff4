"""What the cache keeps of one node between two snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from extender.cluster.snapshot import NodeInfo
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature

K = TypeVar("K")


@dataclass(slots=True)
class NodeEntry:
    """What stands on a node. `node` is None while only its pods are known (their events may come first)."""

    node: Node | None = None
    used: dict[str, int] = field(default_factory=dict)
    residents: dict[PodSignature, int] = field(default_factory=dict)
    lent: bool = False
    """The counts belong to a snapshot as well and are copied before the next change: most nodes do not change between two snapshots."""

    def lend(self, node: Node) -> NodeInfo:
        """The node as a snapshot shows it."""
        self.lent = True
        return NodeInfo(node, self.used, self.residents)

    def count(self, signature: PodSignature, sign: int) -> None:
        """Add (1) or take away (-1) one pod of a signature."""
        if self.lent:
            self.used, self.residents, self.lent = dict(self.used), dict(self.residents), False
        for resource, amount in signature.requests:
            change(self.used, resource, sign * amount)
        change(self.residents, signature, sign)


def change(counts: dict[K, int], key: K, by: int) -> None:
    """Change a count; one that reaches zero is dropped."""
    total = counts.get(key, 0) + by
    if total:
        counts[key] = total
    else:
        counts.pop(key, None)
