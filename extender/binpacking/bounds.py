"""A lower bound of the cost that holds for every packing, whatever the solver has looked at."""

from __future__ import annotations

from collections.abc import Mapping

from extender.binpacking.instance import Instance


def opening_bound(instance: Instance, placed: Mapping[int, int]) -> int:
    """Least micro-dollars an hour of empty nodes that any packing of these pods (item -> pods) opens.

    The fractional relaxation, one resource at a time: what the nodes in use cannot hold is bought by the unit where it is cheapest.
    """
    usable = sorted({node for item, count in placed.items() if count for node in instance.eligible[item]})
    demand: dict[str, int] = {}
    for item, count in placed.items():
        for name, amount in instance.items[item].requests.items():
            demand[name] = demand.get(name, 0) + amount * count
    return max((_buy(instance, usable, name, amount) for name, amount in demand.items()), default=0)


def _buy(instance: Instance, usable: list[int], name: str, demand: int) -> int:
    bins = [instance.bins[node] for node in usable]
    lacking = demand - sum(max(0, b.free.get(name, 0)) for b in bins if not b.empty)
    offers = [(b.free[name], b.price) for b in bins if b.empty and b.free.get(name, 0) > 0]
    cost = 0
    for amount, price in sorted(offers, key=lambda offer: (offer[1] / offer[0], offer)):
        if lacking <= 0:
            break
        cost += price * min(amount, lacking) // amount
        lacking -= amount
    return cost
