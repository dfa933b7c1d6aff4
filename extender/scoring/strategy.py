"""What a scoring strategy is: a pure function over integers from a pod and a node to how good the node is for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from stowplan.model.resources import Amounts

SCALE = 1000
"""Shares are counted in thousandths."""


class Candidate(msgspec.Struct, frozen=True):
    """A node on which the pod fits, as strategies see it."""

    asked: Amounts
    """Effective requests of the pod."""
    used: Amounts
    """Requests of the node's pods, reservations included."""
    allocatable: Amounts
    price_micro_usd_per_hour: int
    occupied: bool
    """Whether it is paid for anyway: pods other than DaemonSets' stand there, or an empty one would not go away."""
    latency: int = 0
    """What the node costs the pod in latency, as thousandths of the node's price: points times the class's weight against money."""
    starved: bool = False
    """Whether the node is in the drain set: it is to run empty, so others in use come first."""
    added_cs: int = 0
    """Expected hundredths of a second for which the node would be in use for this pod alone; 0 where nothing is known."""
    fragment_cs: int | None = None
    """Hundredths of a second charged for GPU that becomes unusable, in place of CPU and memory that stay free; None where these count."""


Strategy = Callable[[Candidate], int]
"""Larger is better. Values of different strategies cannot be compared."""


def free_shares(candidate: Candidate) -> Mapping[str, int]:
    """What is left of CPU and memory once the pod is there, in thousandths of the allocatable; never negative."""
    return {
        resource: _share(candidate, resource) for resource in ("cpu", "memory") if candidate.allocatable.get(resource)
    }


def asked_share(candidate: Candidate) -> int:
    """The pod's dominant share of the node, in thousandths: of CPU or memory, whichever it takes more of."""
    return max(
        (
            candidate.asked.get(resource, 0) * SCALE // candidate.allocatable[resource]
            for resource in ("cpu", "memory")
            if candidate.allocatable.get(resource)
        ),
        default=SCALE,
    )


def _share(candidate: Candidate, resource: str) -> int:
    capacity = candidate.allocatable[resource]
    left = capacity - candidate.used.get(resource, 0) - candidate.asked.get(resource, 0)
    return max(0, left) * SCALE // capacity
