"""Nodes in order of what a pod is expected to cost on each: the planner's values, brought up to date with the placements since.

The planner values nodes once a minute; between two publications this adds the pods that were answered for or seen bound, as the
planner itself does, so that the second pod of a burst finds the node that the first one opened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from extender.cluster.snapshot import NodeInfo
from extender.deciding.gpu_fragments import Fragments, GpuFragments
from extender.deciding.node_table import Ints, Mask, NodeTable
from extender.deciding.shortlist import Shortlist, Shortlists, Value
from extender.fragments.charge import HORIZON_CS
from extender.lifetimes.kin import keeps_nodes_in_use, path_of
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import Expectations
from extender.scoring.expected_cost import (
    STARVING,
    asked_shares_of,
    costs_in_use,
    costs_of_opening,
    expected_cost,
    free_times,
    hundredths,
)
from extender.scoring.strategy import Candidate
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.resources import Amounts

REMEMBERED: Final = 50_000
"""Placements kept for the next publication: more than a cluster binds in a minute."""
_FIRST_LOOK: Final = 64
"""Nodes sorted at first; the others only where none of these is offered and fits."""

_FEW: Final = 8
"""Below one in so many nodes offered, the others are left out beforehand."""
_MISSING: Final = 16
"""After so many of the best nodes that are not offered, the others that are not are left out beforehand: pods that keep away from each
other have their best nodes taken from the list one after the other, and each is looked for in all names."""

Valued = tuple[str, int, int]
"""Node, the hundredths of a second for which the pod is expected to keep it in use alone, and its cost there but for latency."""


class NodeLedger:
    """All nodes with their values. Fed by whoever reads the cache; never raises on unknown nodes."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.table = NodeTable(self._row_freed)
        self.fragments = GpuFragments(self._cpu_and_memory, lambda: self.table.price)
        self._published: NodeValues | None = None
        self._curves: NodeCurves | None = None
        self._expectations: Expectations | None = None
        self._placements: deque[tuple[int, str, PodSignature, str]] = deque(maxlen=remembered)
        self._counted: dict[str, str] = {}
        """UID -> node, of the pods added since the publication."""
        self._shortlists = Shortlists()

    def update(self, changed: Mapping[str, NodeInfo | None], occupied: Mapping[str, bool]) -> None:
        """These nodes are new, have changed, or are gone (None)."""
        for name, info in changed.items():
            if info is None:
                self.table.drop(name)
                continue
            self.table.put(info, occupied=occupied[name])
            row = self.table.rows[name]
            if not occupied[name] and self._curves is not None:
                self._curves.clear(row)
            self.fragments.put(row, info)
            self._shortlists.changed(row)

    def renew(self, *, stay: bool) -> None:
        """Bring what is learned of GPU fragments up to date; not for requests.

        Args:
            stay: whether nodes with GPUs stay when they are empty.
        """
        if self.fragments.renew() or stay != self.fragments.stay:
            self.fragments.stay = stay
            self._shortlists.clear()

    def use(self, values: NodeValues | None) -> None:
        """Value by this publication from now on; placements after its generation are added."""
        if values is None or values is self._published:
            return
        self._published = values
        rows = np.full(max(values.rows.values(), default=-1) + 1, -1, np.int64)
        for name, row in values.rows.items():
            rows[row] = self.table.rows.get(name, -1)
        self._curves, self._expectations = values.curves, values.expectations
        self._curves.renumber(rows, len(self.table))
        self._counted = {}
        self._shortlists.clear()
        for generation, uid, signature, node in self._placements:
            if generation > values.generation:
                self._add(uid, signature, node)

    def placed(self, uid: str, signature: PodSignature, node: str, generation: int) -> None:
        """A pod was answered for, or seen on a node by the event that led to `generation`."""
        self._placements.append((generation, uid, signature, node))
        self._add(uid, signature, node)

    def ranked(
        self, pod: Pod, asked: Amounts, offered: Collection[str], drain: Collection[str] = ()
    ) -> Iterator[Valued]:
        """Offered nodes with room: those in use, of them the drain set last, then empty ones; the least expected cost first.

        Ties keep the order in which the nodes came into the table.

        Args:
            pod: to be placed.
            asked: its requests.
            offered: names of nodes.
            drain: nodes that are to run empty.
        """
        # what is its own would make it differ from others of its signature
        like_others = not pod.ends_s and pod.uid not in self._counted
        shortlist = self._shortlist(pod, asked, drain) if like_others else None
        beyond = None
        if shortlist is not None:
            beyond = yield from self._of_shortlist(shortlist, offered)
            if beyond is None:
                return
        # where few of the nodes, or of the best, are offered, sorting the others is not worth it
        few = beyond is not None or _FEW * len(offered) <= len(self.table.rows)
        for valued in self._walk(pod, asked, offered if few else None, drain):
            if (beyond is None or (valued[2], self.table.rows[valued[0]]) > beyond) and (few or valued[0] in offered):
                yield valued

    def _of_shortlist(
        self, shortlist: Shortlist, offered: Collection[str]
    ) -> Generator[Valued, None, tuple[int, int] | None]:
        """The best nodes that are offered, until too many are not; returns the cost and row beyond which others may come, if they do."""
        missing = 0
        for row, (cost, added) in shortlist:
            name = self.table.names[row]
            if name in offered:
                yield name, added, cost
                continue
            missing += 1
            if missing == _MISSING:
                return cost, row
        return shortlist.limit

    def _walk(
        self, pod: Pod, asked: Amounts, offered: Collection[str] | None, drain: Collection[str]
    ) -> Iterator[Valued]:
        """Nodes with room, all of them or the offered ones."""
        rows = self.table.fitting(asked)
        if offered is not None:
            rows = self._offered(rows, offered)
        paid = self._paid(asked, rows)
        for tier, surcharge in self._tiers(rows[paid], drain):
            added = self._added(pod, tier)
            yield from self._by_cost(tier, added, self._costs_in_use(asked, tier, added) + surcharge)
        empty = rows[~paid]
        if len(empty):
            yield from self._by_cost(empty, np.zeros(len(empty), np.int64), self._costs_of_opening(asked, empty))

    def _shortlist(self, pod: Pod, asked: Amounts, drain: Collection[str]) -> Shortlist | None:
        """The best nodes for pods of this signature, brought up to date; from the second such pod on."""
        return self._shortlists.of(
            pod.signature,
            drain,
            repair=lambda row: self._value(pod, asked, row, drain),
            make=lambda: self._made(pod, asked, drain),
        )

    def _made(self, pod: Pod, asked: Amounts, drain: Collection[str]) -> Shortlist:
        rows = self.table.fitting(asked)
        paid = self._paid(asked, rows)
        pieces = [(rows[~paid], np.zeros(np.count_nonzero(~paid), np.int64))]
        costs = [self._costs_of_opening(asked, pieces[0][0])]
        for tier, surcharge in self._tiers(rows[paid], drain):
            added = self._added(pod, tier)
            pieces.append((tier, added))
            costs.append(self._costs_in_use(asked, tier, added) + surcharge)
        rows, added = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        ascending = rows.argsort()  # of equal costs the list keeps the first rows
        return Shortlist(pod.signature, drain, rows[ascending], np.concatenate(costs)[ascending], added[ascending])

    def _value(self, pod: Pod, asked: Amounts, row: int, drain: Collection[str]) -> Value | None:
        """One row as `_walk` values it; None where it has no room."""
        table = self.table
        if not table.fits(asked, row):
            return None
        fragments = self.fragments.on(asked, row)
        paid = bool(table.occupied[row]) or (fragments is not None and fragments.paid)
        knows = self._curves is not None or fragments is not None
        added = int(self._added(pod, np.array([row]))[0]) if paid and knows else 0
        capacity, used = table.cpu_and_memory(row)
        starved = paid and table.names[row] in drain
        charged = None if fragments is None else fragments.charged_cs
        candidate = Candidate(asked, used, capacity, int(table.price[row]), paid, 0, starved, added, charged)
        return -expected_cost(candidate), added

    def hold(self, name: str, amounts: Amounts, held: Sequence[PodSignature] = ()) -> None:
        """What is held on the node for pods that were answered for and are not seen there yet is exactly this: a sum, and the pods."""
        self.table.hold(name, amounts)
        row = self.table.rows.get(name)
        if row is not None:
            self.fragments.hold(row, held)
            self._shortlists.changed(row)

    def weighs_fragments(self, node: str) -> bool:
        """Whether GPU fragments are weighed on the node."""
        row = self.table.rows.get(node)
        return row is not None and self.fragments.weighs(row)

    def fragments_on(self, asked: Amounts, node: str) -> Fragments | None:
        """What a pod with these requests does to the node's GPUs; None where that is not weighed."""
        row = self.table.rows.get(node)
        return None if row is None else self.fragments.on(asked, row)

    def _tiers(self, rows: Ints, drain: Collection[str]) -> Iterator[tuple[Ints, int]]:
        """Nodes in use, those to run empty apart, and what these cost more."""
        drained = [self.table.rows[name] for name in drain if name in self.table.rows]
        if not drained:
            tiers: list[tuple[Ints, int]] = [(rows, 0)]
        else:
            starved = np.zeros(len(self.table), np.bool_)
            starved[drained] = True
            tiers = [(rows[~starved[rows]], 0), (rows[starved[rows]], STARVING)]
        yield from ((tier, surcharge) for tier, surcharge in tiers if len(tier))

    def _by_cost(self, rows: Ints, added: Ints, costs: Ints) -> Iterator[Valued]:
        few = np.arange(len(rows))
        if len(rows) > _FIRST_LOOK:
            few = np.flatnonzero(costs <= np.partition(costs, _FIRST_LOOK)[_FIRST_LOOK])
            yield from self._in_order(rows, added, costs, few)
            few = np.flatnonzero(costs > costs[few].max())
        yield from self._in_order(rows, added, costs, few)

    def _in_order(self, rows: Ints, added: Ints, costs: Ints, chosen: Ints) -> Iterator[Valued]:
        order = chosen[costs[chosen].argsort(kind="stable")]
        for row, seconds, cost in zip(rows[order].tolist(), added[order].tolist(), costs[order].tolist(), strict=True):
            yield self.table.names[row], seconds, cost

    def _offered(self, rows: Ints, offered: Collection[str]) -> Ints:
        chosen = np.zeros(len(self.table), np.bool_)
        chosen[[row for row in map(self.table.rows.get, offered) if row is not None]] = True
        return rows[chosen[rows]]

    def added_cs(self, pod: Pod, node: str) -> int:
        """For one node, what `ranked` says of it; 0 where nothing is known."""
        row = self.table.rows.get(node)
        return 0 if row is None else int(self._added(pod, np.array([row]))[0])

    def seconds_left(self) -> dict[str, float] | None:
        """Node -> how long its pods are expected to keep it in use; None where nothing was learned."""
        if self._curves is None:
            return None
        names = list(self.table.rows)
        rows = np.fromiter(self.table.rows.values(), np.int64, len(names))
        return dict(zip(names, self._curves.seconds_left(rows).tolist(), strict=True))

    def _added(self, pod: Pod, rows: Ints) -> Ints:
        if self._curves is None or self._expectations is None:
            added = np.zeros(len(rows), np.int64)
            weighed = self.fragments.weighed(rows)
            if weighed is not None:
                # empty nodes among them may count as paid for; while no pod has ended, all are expected to stay
                added[weighed & ~self.table.occupied[rows]] = HORIZON_CS
            return added
        path = path_of(pod.signature, pod.uid)
        ends_in = float(pod.ends_s - pod.created_s) if pod.ends_s else None
        return hundredths(self._curves.seconds_added(path[-1], self._expectations.curve(path, ends_in=ends_in), rows))

    def _costs_in_use(self, asked: Amounts, rows: Ints, added: Ints) -> Ints:
        table = self.table
        cpu_left, memory_left = (table.free(r, rows) - asked.get(r, 0) for r in ("cpu", "memory"))
        unused = free_times(cpu_left, table.allocatable("cpu", rows), memory_left, table.allocatable("memory", rows))
        weighed = self.fragments.weighed(rows)
        if weighed is not None:
            unused[weighed] = self.fragments.charged_cs(asked, rows[weighed])
        return costs_in_use(table.price[rows], added, unused)

    def _paid(self, asked: Amounts, rows: Ints) -> Mask:
        """Nodes that are paid for anyway: those in use, and for pods that ask for GPUs those with GPUs that stay."""
        occupied: Mask = self.table.occupied[rows]
        staying = self.fragments.staying(asked, rows)
        return occupied if staying is None else occupied | staying

    def _cpu_and_memory(self, rows: Ints) -> tuple[Ints, Ints]:
        return self.table.free("cpu", rows), self.table.free("memory", rows)

    def _costs_of_opening(self, asked: Amounts, rows: Ints) -> Ints:
        table = self.table
        cpu, memory = table.allocatable("cpu", rows), table.allocatable("memory", rows)
        shares = asked_shares_of(asked.get("cpu", 0), cpu, asked.get("memory", 0), memory)
        return costs_of_opening(table.price[rows], shares)

    def _add(self, uid: str, signature: PodSignature, node: str) -> None:
        row = self.table.rows.get(node)
        if row is None or self._curves is None or self._expectations is None:
            return
        if self._counted.get(uid) == node or not keeps_nodes_in_use(signature):
            return
        self._counted[uid] = node
        path = path_of(signature, uid)
        self._curves.place(row, path[-1], self._expectations.curve(path))
        self._shortlists.changed(row)

    def _row_freed(self, row: int) -> None:
        self._shortlists.changed(row)
        self.fragments.drop(row)
        if self._curves is not None:
            self._curves.clear(row)
