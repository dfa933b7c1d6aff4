"""The size of a container about which little is known: like similar ones, shrinking to its own data as it comes, then the size table.

On the log scale, peers give a mean and a spread; own data of n days enters with the weight n / (n + K), K = within / between variance
(empirical Bayes). K = 1 day where peers are too few to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stowplan.model.sizes import named_size
from stowplan.model.workload_class import ColdStart

FEATURES: Final[Mapping[str, float]] = {
    "image": 4.0,
    "container": 2.0,
    "command": 2.0,
    "app": 2.0,
    "siblings": 1.0,
    "namespace": 1.0,
    "class": 1.0,
}
"""What makes two containers similar, and how much: the image's repository says most (`recommender.workloads.features`)."""
LEAST_SIMILARITY: Final = 3.0
LEAST_PEERS: Final = 3
DAY_VARIANCE: Final = 0.25
"""Variance of the log of one day's estimate around the container's long-run need: a factor of 1.65 either way."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A container with enough history of its own."""

    features: Mapping[str, str]
    cpu: int
    """Recommended millicores."""
    memory: int
    """Recommended bytes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A size without much own history, and where it is from."""

    cpu: int
    memory: int
    source: str
    """`similar`, `similar and own`, or `size table`."""
    peers: int
    own_weight: float
    """Share 0..1 of the container's own data."""


def similarity(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    """Sum of the weights of the features that both know and agree on."""
    return sum(weight for name, weight in FEATURES.items() if one.get(name) and one.get(name) == other.get(name))


def guess(
    features: Mapping[str, str],
    peers: Sequence[Peer],
    fallback: ColdStart,
    own: tuple[int, int] | None = None,
    own_days: float = 0.0,
) -> Guess:
    """CPU and memory from similar containers and, if there is any, own data (`own`: recommended so far, from `own_days` days)."""
    near = [(similarity(features, peer.features), peer) for peer in peers]
    near = [(weight, peer) for weight, peer in near if weight >= LEAST_SIMILARITY and peer.cpu > 0 and peer.memory > 0]
    if len(near) < LEAST_PEERS:
        return _without_peers(fallback, own, own_days)
    cpu, cpu_weight = _shrunk([(w, peer.cpu) for w, peer in near], own[0] if own else 0, own_days)
    memory, memory_weight = _shrunk([(w, peer.memory) for w, peer in near], own[1] if own else 0, own_days)
    source = "similar and own" if own and own_days > 0 else "similar"
    return Guess(cpu, memory, source, len(near), min(cpu_weight, memory_weight))


def _without_peers(fallback: ColdStart, own: tuple[int, int] | None, own_days: float) -> Guess:
    cpu, memory = named_size(fallback.size, fallback.shape)
    if own is None or own_days <= 0:
        return Guess(cpu, memory, "size table", 0, 0.0)
    weight = own_days / (own_days + 1.0)
    mixed = [
        _up((1 - weight) * math.log(a) + weight * math.log(max(1, b))) for a, b in ((cpu, own[0]), (memory, own[1]))
    ]
    return Guess(mixed[0], mixed[1], "size table and own", 0, weight)


def _shrunk(near: Sequence[tuple[float, int]], own: int, own_days: float) -> tuple[int, float]:
    total = sum(weight for weight, _ in near)
    mean = sum(weight * math.log(value) for weight, value in near) / total
    between = sum(weight * (math.log(value) - mean) ** 2 for weight, value in near) / total
    own_weight = own_days / (own_days + DAY_VARIANCE / max(between, 0.01)) if own > 0 else 0.0
    return _up((1 - own_weight) * mean + own_weight * math.log(max(1, own))), own_weight


def _up(logarithm: float) -> int:
    """The next whole amount, but for errors of rounding: what should be 500 must not become 501, which a grid makes 550."""
    return math.ceil(math.exp(logarithm) * (1 - 1e-12))
