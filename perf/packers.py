"""Baselines: one pod after another, as a scheduler that only scores would place them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from extender.cluster.snapshot import Snapshot
from extender.scoring import STRATEGIES, Candidate, Strategy
from stowplan.model.pod import PodSignature
from stowplan.model.resources import add, shortfalls

Packer = Callable[[Snapshot], list[str]]
"""Places the waiting pods; returns the node of each that found one."""


def first_fit_decreasing(snapshot: Snapshot) -> list[str]:
    """Largest pods first, each to the first node with room: open nodes as they stand, then empty ones, cheapest first."""
    order = sorted(snapshot.nodes.values(), key=lambda i: (not i.used, i.node.price_micro_usd_per_hour, i.node.name))
    used = {info.node.name: dict(info.used) for info in order}
    placements = []
    for signature, count in sorted(snapshot.pending.items(), key=_size, reverse=True):
        asked = dict(signature.requests)
        start = 0  # nodes only fill up: where one pod of the group did not fit, the next does not either
        for _ in range(count):
            while start < len(order):
                node = order[start].node
                if not shortfalls(asked, used[node.name], node.allocatable):
                    used[node.name] = add(used[node.name], asked)
                    placements.append(node.name)
                    break
                start += 1
    return placements


def _size(entry: tuple[PodSignature, int]) -> tuple[int, str]:
    return dict(entry[0].requests)["cpu"], entry[0].owner_key


def by_score(strategy: Strategy) -> Packer:
    """Pods as they come, each to the node with the best score (ties to the first name)."""

    def pack(snapshot: Snapshot) -> list[str]:
        used = {name: dict(info.used) for name, info in snapshot.nodes.items()}
        scores: dict[str, int] = {}
        placements = []
        for signature, count in snapshot.pending.items():
            asked = dict(signature.requests)
            scores = {
                name: value
                for name in snapshot.nodes
                if (value := _score(strategy, snapshot, used, name, asked)) is not None
            }
            for _ in range(count):
                if not scores:
                    break
                best = max(scores, key=lambda name: scores[name])
                used[best] = add(used[best], asked)
                placements.append(best)
                value = _score(strategy, snapshot, used, best, asked)
                if value is None:
                    del scores[best]
                else:
                    scores[best] = value
        return placements

    return pack


def _score(
    strategy: Strategy, snapshot: Snapshot, used: Mapping[str, dict[str, int]], name: str, asked: dict[str, int]
) -> int | None:
    node = snapshot.nodes[name].node
    if shortfalls(asked, used[name], node.allocatable):
        return None
    occupied = bool(used[name])
    return strategy(Candidate(asked, used[name], node.allocatable, node.price_micro_usd_per_hour, occupied))


BASELINES: Final[Mapping[str, Packer]] = {
    "least-allocated": by_score(STRATEGIES["least-allocated"]),
    "most-allocated": by_score(STRATEGIES["most-allocated"]),
    "first-fit-decreasing": first_fit_decreasing,
}
