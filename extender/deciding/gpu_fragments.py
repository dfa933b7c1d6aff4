"""GPU fragments live: the mix as observed by the watch, and what a pod would make unusable on each node.

The mix is renewed outside of requests (`renew`); a request values the nodes that changed since the last one of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from extender.binpacking.eligibility import NodeFace, face, matches_node_affinity, names_nodes, selector_keys
from extender.cluster.snapshot import NodeInfo
from extender.deciding.device_table import DeviceTable, gpu_asked
from extender.fragments.charge import charged_cs
from extender.fragments.growth import Growth
from extender.fragments.observed_mix import ObservedMix
from extender.fragments.room import Demand, Floats, Ints, Mask, Room
from extender.fragments.unusable import PodMix
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature
from stowplan.model.resources import Amounts
from stowplan.model.selectors import untolerated

_MOST_SIGNATURES: Final = 10_000
"""Whose kind is remembered: a burst is of a few."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Pods that ask for the same and may stand on the same nodes."""

    demand: Demand
    where: tuple[object, ...]
    signature: PodSignature = field(compare=False)
    """Of one of them."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """What a pod does to the GPUs of one node."""

    charged_cs: int
    """Time charged for it, in hundredths of a second."""
    milli_gpus: int
    """Thousandths of a GPU that become unusable for the pods that come; negative where some are of use again."""
    paid: bool
    """Whether the node is paid for anyway for such a pod, also while it is empty."""
    money: bool
    """Whether the time charged is money, or more than that: for who still finds room where nodes stay."""


class GpuFragments:
    """Fed by whoever feeds the node table.

    Args:
        room: free CPU and memory of some rows of the node table.
        price: of all rows, in micro-dollars an hour.
    """

    def __init__(self, room: Callable[[Ints], tuple[Ints, Ints]], price: Callable[[], Ints]) -> None:
        self.stay = True
        """Whether nodes with GPUs stay when they are empty: nothing in this cluster removes them."""
        self._room_of, self._price = room, price
        self._devices = DeviceTable()
        self._mix: ObservedMix[Kind] = ObservedMix()
        self._kind_of: dict[PodSignature, Kind | None] = {}
        self._kinds: Sequence[Kind] = ()
        self._growth: Growth | None = None
        self._asked_about: Sequence[Demand] = ()
        self._keys: frozenset[str] = frozenset()
        self._faces: dict[NodeFace, int] = {}
        self._accepts: Mask = np.zeros((0, 0), np.bool_)
        self._face_of: Ints = np.zeros(0, np.int64)

    @property
    def kinds(self) -> int:
        """How many kinds of pods make the mix; 0 while nothing is weighed."""
        return len(self._kinds)

    def see(self, signature: PodSignature) -> None:
        """A pod has come."""
        if signature not in self._kind_of:
            if len(self._kind_of) >= _MOST_SIGNATURES:
                self._kind_of.clear()
            self._kind_of[signature] = self._kind(signature)
        self._mix.see(self._kind_of[signature])

    def put(self, row: int, info: NodeInfo) -> None:
        """The node of a row is new or has changed."""
        if self._devices.put(row, info):
            if self._growth is not None:
                self._recognise(row, info.node)
            self.changed(row)

    def hold(self, row: int, held: Sequence[PodSignature]) -> None:
        """Room is held on the node for exactly these pods."""
        if row in self._devices.nodes:
            self._devices.hold(row, held)
            self.changed(row)

    def drop(self, row: int) -> None:
        """The node of a row is gone."""
        self._devices.drop(row)
        self.changed(row)

    def changed(self, row: int) -> None:
        """What is free on a node has changed."""
        if self._growth is not None:
            self._growth.changed(row)

    def renew(self) -> bool:
        """Take over what was seen, if there is enough that is new; whether values are others from now on.

        Not for requests: it looks at all nodes with GPUs.
        """
        seen = self._mix.renewed() if self._mix.due else []
        if not seen:
            return False
        self._asked_about = self._growth.demands if self._growth is not None else ()
        self._kinds = [kind for kind, _ in seen]
        self._keys = selector_keys(kind.signature for kind in self._kinds)
        self._faces, self._accepts = {}, np.zeros((len(seen), 0), np.bool_)
        self._growth = Growth(PodMix.of([(kind.demand, count) for kind, count in seen]), self._room)
        for row, node in self._devices.nodes.items():
            self._recognise(row, node)
        return True

    def prepare(self) -> Iterator[None]:
        """Value all nodes for what was asked about before the last renewal, in pieces of milliseconds; requests may come between them."""
        rows = np.array(sorted(self._devices.nodes), np.int64)
        demands, self._asked_about = self._asked_about, ()
        for demand in demands:
            if self._growth is not None:
                self._growth.share(demand, rows)
                yield

    def weighed(self, rows: Ints) -> Mask | None:
        """Which of some nodes are valued by fragments; None where none is."""
        if self._growth is None or not self._devices.nodes:
            return None
        mask = self._devices.among(rows)
        return mask if mask.any() else None

    def staying(self, asked: Amounts, rows: Ints) -> Mask | None:
        """Which of some nodes are paid for anyway for a pod that asks for GPUs; None where only those in use are."""
        weighed = self.weighed(rows) if self.stay else None
        return weighed if weighed is not None and gpu_asked(asked) else None

    def weighs(self, row: int) -> bool:
        """Whether one node is among `weighed`."""
        return self._growth is not None and row in self._devices.nodes

    def charged_cs(self, asked: Amounts, rows: Ints) -> Ints:
        """For nodes that are weighed and take such a pod, the time charged for what it makes unusable."""
        return self._charged(self._share(asked, rows), rows)

    def on(self, asked: Amounts, row: int) -> Fragments | None:
        """What such a pod does to one node; None where that is not weighed."""
        if not self.weighs(row):
            return None
        rows = np.array([row])
        share = self._share(asked, rows)
        return Fragments(
            int(self._charged(share, rows)[0]),
            round(float(share[0]) * self._devices.milli_gpus(row)),
            paid=self.stay and bool(gpu_asked(asked)),
            money=not self.stay,
        )

    def _charged(self, share: Floats, rows: Ints) -> Ints:
        return charged_cs(self._price()[rows], share, stay=self.stay)

    def _share(self, asked: Amounts, rows: Ints) -> Floats:
        assert self._growth is not None  # noqa: S101 - `weighed` has said so
        return self._growth.share(self._devices.demand(asked), rows)

    def _kind(self, signature: PodSignature) -> Kind | None:
        asked = dict(signature.requests)
        if not gpu_asked(asked) or names_nodes(signature):
            return None
        where = (signature.node_selector, signature.required_nodes, signature.tolerations)
        return Kind(self._devices.demand(asked), where, signature)

    def _room(self, rows: Ints) -> Room:
        cpu, memory = self._room_of(rows)
        return self._devices.room(rows, cpu, memory, self._accepts[:, self._face_of[rows]])

    def _recognise(self, row: int, node: Node) -> None:
        """Note which kinds the node of a row accepts; nodes with one face accept the same."""
        seen = face(node, self._keys)
        number = self._faces.get(seen)
        if number is None:
            number = self._faces[seen] = len(self._faces)
            accepted = np.array([[_accepts(kind.signature, node)] for kind in self._kinds], np.bool_)
            self._accepts = np.concatenate([self._accepts, accepted], 1)
        if row >= len(self._face_of):
            self._face_of = np.resize(self._face_of, 2 * row + 1)
        self._face_of[row] = number


def _accepts(signature: PodSignature, node: Node) -> bool:
    """Whether taints, selectors and required node affinity let the pod stand there."""
    if untolerated(signature.tolerations, node.taints) is not None:
        return False
    return matches_node_affinity(signature, node.labels, node.name)
