"""The soft terms of a placement, in integers: convex loss of latency headroom, preferred nodes, soft spread.

The solver's third stage minimises exactly what `discomfort` returns, so that packings and solutions can be compared.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Bin, Instance
from extender.binpacking.topology import SpreadRule

PERMILLE: Final = 1000
STEEP: Final = 2
"""Extra slope of the second piece: from half way between the class's bound and a full node, each permille counts three times."""
PREFERENCE: Final = 10
"""Weight of one point (of 100) of an unmet preferred node term, and of a soft taint taken for one point each."""
SOFT_SPREAD: Final = 1000
"""Weight of one pod above the even share of a domain, before the class's spread weight."""
_DEFAULT_SPREAD_WEIGHT: Final = 10


def load_weights(instance: Instance) -> dict[str, tuple[int, int]]:
    """Class name -> (bound in permille of a node's CPU, latency weight), for classes to which load matters."""
    return {
        name: (c.scheduling.max_node_load_percent * 10, c.scheduling.weights.latency)
        for name, c in instance.classes.items()
        if c.scheduling.weights.latency > 0
    }


def knee(bound: int) -> int:
    """Permille of CPU from which the steep piece counts."""
    return (bound + PERMILLE) // 2


def load_penalty(load: int, bound: int, weight: int) -> int:
    """Piecewise linear and convex in the load (permille of CPU requested): the shape of delay in a queue, without its pole."""
    return weight * (max(0, load - bound) + STEEP * max(0, load - knee(bound)))


def load_permille(place: Bin, added_cpu: int) -> int:
    """Requested share of a node's CPU with some millicores more, rounded up."""
    capacity = place.node.allocatable.get("cpu", 0)
    used = place.info.used.get("cpu", 0) + added_cpu
    return -(-used * PERMILLE // capacity) if capacity > 0 else 0


def resident_classes(place: Bin) -> set[str]:
    """Class names of the pods that stand on a node."""
    return {signature.workload_class.split(".", 1)[0] for signature in place.info.residents}


def placement_cost(instance: Instance, item: int, node: int) -> int:
    """Unmet preferences of one pod of an item on a bin: preferred node terms and untolerated PreferNoSchedule taints."""
    signature = instance.items[item].signature
    target = instance.bins[node].node
    if not signature.preferred_nodes and not target.taints:
        return 0
    unmet = sum(p.weight for p in signature.preferred_nodes if not p.term.matches(target.labels, target.name))
    soft = [taint for taint in target.taints if taint.effect == "PreferNoSchedule"]
    taken = sum(1 for taint in soft if not any(t.tolerates(taint) for t in signature.tolerations))
    return PREFERENCE * (unmet + taken)


def spread_weight(instance: Instance, item: int) -> int:
    """Penalty of one pod of an item above the even share of a domain."""
    found = instance.classes.get(instance.items[item].class_name)
    return SOFT_SPREAD * (found.scheduling.weights.spread if found else _DEFAULT_SPREAD_WEIGHT)


def even_share(instance: Instance, rule: SpreadRule) -> int:
    """Pods of a soft constraint that a domain may hold for free: an even split of all of them, and one less than the skew."""
    coming = sum(instance.items[item].count for item in rule.matching)
    total = sum(rule.standing.values()) + coming
    return -(-total // max(1, len(rule.standing))) + rule.constraint.max_skew - 1


def discomfort(packing: Packing) -> int:
    """The soft terms of a packing. Only differences between packings of one instance mean anything."""
    instance = packing.instance
    total = sum(
        count * placement_cost(instance, item, node)
        for item, slots in enumerate(packing.slots)
        for node, count in slots.items()
    )
    weights = load_weights(instance)
    total += sum(_load(packing, node, weights) for node, items in packing.on_bin.items() if items)
    return total + sum(_spread(packing, rule) for rule in instance.spreads if not rule.constraint.hard)


def _load(packing: Packing, node: int, weights: dict[str, tuple[int, int]]) -> int:
    """What the placements on one node add to its classes' penalties."""
    instance = packing.instance
    place = instance.bins[node]
    added = sum(
        packing.slots[item][node] * instance.items[item].requests.get("cpu", 0) for item in packing.on_bin[node]
    )
    before, after = load_permille(place, 0), load_permille(place, added)
    there = resident_classes(place)
    total = 0
    for name in there | {instance.items[item].class_name for item in packing.on_bin[node]}:
        if name in weights:
            bound, weight = weights[name]
            total += load_penalty(after, bound, weight)
            total -= load_penalty(before, bound, weight) if name in there else 0
    return total


def _spread(packing: Packing, rule: SpreadRule) -> int:
    """What the placements add to the pods above the even share."""
    coming: Counter[str] = Counter()
    for item in rule.matching:
        for node, count in packing.slots[item].items():
            domain = rule.domains[node]
            if domain is not None:
                coming[domain] += count
    share = even_share(packing.instance, rule)
    over = sum(
        max(0, rule.standing[domain] + count - share) - max(0, rule.standing[domain] - share)
        for domain, count in coming.items()
    )
    return over * spread_weight(packing.instance, rule.item)
