"""A packing under construction: may this pod go there (kube-scheduler's Filter semantics), and put it there.

Decision and commitment are two calls: `refuses` changes nothing, `add` checks nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from extender.binpacking.eligible import port_refusal
from extender.binpacking.instance import Instance
from extender.binpacking.refusal import Refusal, RefusalReason
from extender.binpacking.replica_limits import LimitRule, Scope
from extender.binpacking.topology import AffinityRule, SpreadRule
from stowplan.model.devices import SHARED, devices_of, left_on_devices
from stowplan.model.keys import ZONE
from stowplan.model.resources import Shortfall

Slots = Mapping[int, Mapping[int, int]]
"""Item -> bin -> pods."""

_ANTI_AFFINITY = Refusal(RefusalReason.ANTI_AFFINITY)
_AFFINITY = Refusal(RefusalReason.AFFINITY, passing=True)


class SpreadCount:
    """Matching pods by domain of one constraint, with the smallest count kept up to date in constant time."""

    def __init__(self, rule: SpreadRule) -> None:
        self.rule = rule
        self.counts = dict(rule.standing)
        self._domains_at: Counter[int] = Counter(self.counts.values())
        self._minimum = min(self.counts.values(), default=0)

    @property
    def minimum(self) -> int:
        """The global minimum of kube-scheduler: zero while there are fewer domains than `minDomains`."""
        return self._minimum if self.rule.enough_domains else 0

    def add(self, node: int) -> None:
        """Count one more matching pod on a node."""
        domain = self.rule.domains[node]
        if domain is None:
            return
        before = self.counts[domain]
        self.counts[domain] = before + 1
        self._domains_at[before] -= 1
        self._domains_at[before + 1] += 1
        if before == self._minimum and not self._domains_at[before]:
            self._minimum += 1

    def excess(self, node: int) -> int:
        """By how much one more pod of the item would exceed the allowed skew; zero or less is allowed."""
        domain = self.rule.domains[node]
        count = 0 if domain is None else self.counts[domain]
        return count + int(self.rule.self_matching) - self.minimum - self.rule.constraint.max_skew

    def refusal(self, node: int) -> Refusal:
        """The skew in numbers: one pod more beside those in the domain, of the most that the skew allows."""
        domain = self.rule.domains[node]
        constraint = self.rule.constraint
        count = 0 if domain is None else self.counts[domain]
        label = f"{constraint.topology_key}={domain}"
        short = Shortfall(f"pods in {label}", 1, count, self.minimum + constraint.max_skew)
        return Refusal(RefusalReason.SPREAD, (short,), passing=True)


class Packing:
    """Placements of items into the bins of an instance, and what they leave."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.free: list[Mapping[str, int]] = [b.free for b in instance.bins]
        """By bin; those of the instance itself where nothing was placed yet."""
        self.slots: list[dict[int, int]] = [{} for _ in instance.items]
        """Item -> bin -> pods."""
        self.on_bin: defaultdict[int, set[int]] = defaultdict(set)
        """Bin -> items placed on it."""
        self.order: list[tuple[int, int]] = []
        """(item, bin) as they were placed; replayed in this order every pod is admitted."""
        self._in_domain: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._spreads = [SpreadCount(rule) for rule in instance.spreads]
        self._own_spreads: list[list[SpreadCount]] = [[] for _ in instance.items]
        self._counted_by: list[list[SpreadCount]] = [[] for _ in instance.items]
        for count in self._spreads:
            self._own_spreads[count.rule.item].append(count)
            for item in count.rule.matching:
                self._counted_by[item].append(count)
        self._limits = [(rule, Counter(rule.standing)) for rule in instance.limits]
        self._limited: list[list[tuple[LimitRule, Counter[str]]]] = [
            [entry for entry in self._limits if item in entry[0].items] for item in range(len(instance.items))
        ]
        self._keys = self._keys_of_interest()

    def _keys_of_interest(self) -> list[set[str]]:
        keys: list[set[str]] = [set() for _ in self.instance.items]
        for others in self.instance.separated.values():
            for key, other in others:
                keys[other].add(key)
        for rule in self.instance.affinities.values():
            for item in rule.matching:
                keys[item].update(rule.keys)
        for company in self.instance.companies:
            for item in {company.item, *company.matching}:
                keys[item].add(company.key)
        for hop in self.instance.hops:
            for item in hop.items | hop.peers:
                keys[item].add(ZONE)
        return keys

    def placed(self, item: int) -> int:
        """Pods of an item that have a bin."""
        return sum(self.slots[item].values())

    def left(self, item: int) -> int:
        """Pods of an item that have none."""
        return self.instance.items[item].count - self.placed(item)

    @property
    def unplaced(self) -> int:
        """Pods without a bin."""
        return sum(self.left(item) for item in range(len(self.instance.items)))

    def room(self, item: int, node: int) -> int:
        """How many pods of an item the free resources of a bin would take."""
        free = self.free[node]
        return min(max(0, free.get(name, 0)) // amount for name, amount in self.instance.items[item].requests.items())

    def refuses(self, item: int, node: int) -> Refusal | None:
        """Why one more pod of an item may not go to an eligible bin, or None."""
        for other in self.instance.port_conflicts.get(item, ()):
            if other in self.on_bin[node]:
                return port_refusal(self.instance.items[item].signature.host_ports[0])
        lacking = self._lacking(item, node)
        if lacking:
            return Refusal(RefusalReason.INSUFFICIENT_RESOURCES, lacking)
        for count in self._own_spreads[item]:
            if count.rule.constraint.hard and count.excess(node) > 0:
                return count.refusal(node)
        rule = self.instance.affinities.get(item)
        if rule is not None and not self._befriended(rule, node):
            return _AFFINITY
        return (
            _ANTI_AFFINITY if self._repelled(item, node) else self._no_device(item, node) or self._at_limit(item, node)
        )

    def _no_device(self, item: int, node: int) -> Refusal | None:
        for resource in SHARED.keys() & self.instance.items[item].requests.keys():
            place, asked = self.instance.bins[node], self.instance.items[item].requests[resource]
            count, each = devices_of(place.node.allocatable, resource)
            shares = [
                dict(s.requests).get(resource, 0) for s, pods in place.info.residents.items() for _ in range(pods)
            ]
            for other in self.on_bin[node]:
                shares += [self.instance.items[other].requests.get(resource, 0)] * self.slots[other][node]
            there = [share for share in shares if share > 0]
            if left_on_devices([*there, asked], count, each) is None:
                free = max(left_on_devices(there, count, each) or [0])
                return Refusal(
                    RefusalReason.DEVICE_SHARE, (Shortfall(f"{resource} of one device", asked, each - free, each),)
                )
        return None

    def _at_limit(self, item: int, node: int) -> Refusal | None:
        for rule, counts in self._limited[item]:
            where = rule.domains[node]
            if where is not None and counts[where] >= rule.most:
                return _limit_refusal(rule, counts[where])
        return None

    def _lacking(self, item: int, node: int) -> tuple[Shortfall, ...]:
        free = self.free[node]
        requests = self.instance.items[item].requests
        if all(free.get(name, 0) >= amount for name, amount in requests.items()):
            return ()
        allocatable = self.instance.bins[node].node.allocatable
        return tuple(
            Shortfall(name, amount, allocatable.get(name, 0) - free.get(name, 0), allocatable.get(name, 0))
            for name, amount in sorted(requests.items())
            if free.get(name, 0) < amount
        )

    def _befriended(self, rule: AffinityRule, node: int) -> bool:
        labels = self.instance.bins[node].node.labels
        if all(self._friends(rule, key, labels[key]) for key in rule.keys):
            return True
        # the first pod of a group that selects itself may go anywhere, once nothing matches in any domain
        return rule.item in rule.matching and not rule.standing and not self._any_friend(rule)

    def _friends(self, rule: AffinityRule, key: str, value: str) -> int:
        return rule.standing.get((key, value), 0) + sum(self._in_domain[key, j][value] for j in rule.matching)

    def _any_friend(self, rule: AffinityRule) -> bool:
        return any(self._in_domain[key, j] for key in rule.keys for j in rule.matching)

    def _repelled(self, item: int, node: int) -> bool:
        labels = self.instance.bins[node].node.labels
        return any(
            key in labels and self._in_domain[key, other][labels[key]] > 0
            for key, other in self.instance.separated.get(item, ())
        )

    def add(self, item: int, node: int) -> None:
        """Put one pod of an item on a bin. The caller has asked `refuses`."""
        free = dict(self.free[node])
        for name, amount in self.instance.items[item].requests.items():
            free[name] = free.get(name, 0) - amount
        self.free[node] = free
        slots = self.slots[item]
        slots[node] = slots.get(node, 0) + 1
        self.on_bin[node].add(item)
        self.order.append((item, node))
        labels = self.instance.bins[node].node.labels
        for key in self._keys[item] & labels.keys():
            self._in_domain[key, item][labels[key]] += 1
        for count in self._counted_by[item]:
            count.add(node)
        for limit, counts in self._limits:
            where = limit.domains[node] if item in limit.counted else None
            if where is not None:
                counts[where] += 1

    def in_domain(self, key: str, item: int) -> Counter[str]:
        """Placed pods of an item by the value of a topology key, for the keys that some rule on the item reads."""
        return self._in_domain[key, item]

    def soft_excess(self, item: int, node: int) -> int:
        """Pods by which one more would exceed the soft spread constraints of an item, summed."""
        return sum(max(0, c.excess(node)) for c in self._own_spreads[item] if not c.rule.constraint.hard)

    @property
    def opened(self) -> list[int]:
        """Empty bins that got a pod, in order."""
        return sorted(node for node, items in self.on_bin.items() if items and self.instance.bins[node].empty)


def _limit_refusal(rule: LimitRule, count: int) -> Refusal:
    place = "a node" if rule.scope is Scope.NODE else "a spot pool"
    short = Shortfall(f"pods of {rule.service[1]} on {place}", 1, count, rule.most)
    return Refusal(RefusalReason.REPLICA_LIMIT, (short,))


def replay(instance: Instance, slots: Mapping[int, Mapping[int, int]]) -> Packing:
    """A packing with every slot that is admitted in some order found by repeated passes; the others are left out."""
    packing = Packing(instance)
    waiting = [(item, node, count) for item in sorted(slots) for node, count in sorted(slots[item].items()) if count]
    eligible = [frozenset(nodes) for nodes in instance.eligible]
    waiting = [entry for entry in waiting if entry[1] in eligible[entry[0]]]
    moved = True
    while waiting and moved:
        moved = False
        held = []
        for item, node, count in waiting:
            left = count
            if left and packing.left(item) > 0 and packing.refuses(item, node) is None:
                packing.add(item, node)
                left -= 1
                moved = True
            if left:
                held.append((item, node, left))
        waiting = held
    return packing
