"""What a pod is expected to add to the bill of a node, in micro-dollars an hour times hundredths of a second: the default strategy.

Time added: for how long the pod is expected to keep the node in use after all others there have left, at the node's price. Fit: the
share of the node that stays free, as if it were paid for `FIT_CS` more; the larger free share of CPU and memory counts three quarters, as
what is free of one alone is stranded. On nodes with GPUs, once it is known which pods ask for them, what counts in its place is the GPU
that becomes unusable for those that come (`extender.fragments.charge`). A node in use comes before one that would have to be opened.
Latency, weighed against money by the class, is a share of the price like what stays free; the arrays leave it out, and the best few are
compared one by one.

The same integers in two forms: one candidate, and arrays over nodes. Shares are quotients of doubles, which both forms round alike, because
dividing thousands of large integers takes most of a request's time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from extender.scoring.strategy import SCALE, Candidate, asked_share

Ints = NDArray[np.int64]

FIT_CS: Final = 180_000
"""Half an hour in hundredths of a second: for how long capacity that stays free on the chosen node is charged, the weight of best fit."""
STARVING: Final = 1 << 60
"""Above any cost: nodes of the drain set come after all others in use."""
OPENING: Final = 1 << 61
"""Above that, with room below the largest integer of 64 bits."""
EXPECTED_FILL_PERCENT: Final = 85
"""How full a newly opened node is expected to become; see `extender.scoring.price_weighted_best_fit`."""
CS: Final = 100
"""Hundredths of a second in a second."""


def expected_cost(candidate: Candidate) -> int:
    """Minus the cost of one candidate."""
    price = candidate.price_micro_usd_per_hour
    if not candidate.occupied:
        return -OPENING - price * (_opening_share(asked_share(candidate)) + candidate.latency)
    unused_cs = _free_cs(candidate) if candidate.fragment_cs is None else candidate.fragment_cs
    cost = price * (candidate.added_cs + unused_cs + candidate.latency * FIT_CS // SCALE)
    return -cost - STARVING if candidate.starved else -cost


def _free_cs(candidate: Candidate) -> int:
    times = [_free_cs_of(candidate, resource) for resource in ("cpu", "memory") if candidate.allocatable.get(resource)]
    return (3 * max(times) + min(times)) // 4 if times else FIT_CS


def _free_cs_of(candidate: Candidate, resource: str) -> int:
    capacity = candidate.allocatable[resource]
    left = capacity - candidate.used.get(resource, 0) - candidate.asked.get(resource, 0)
    return int(max(0, left) / capacity * FIT_CS)


def _opening_share(asked: int) -> int:
    return ((100 - EXPECTED_FILL_PERCENT) * SCALE + EXPECTED_FILL_PERCENT * asked) // 100


def hundredths(seconds: NDArray[np.float64]) -> Ints:
    """Seconds as whole hundredths."""
    return np.rint(seconds * CS).astype(np.int64)


def costs_in_use(price: Ints, added_cs: Ints, unused_cs: Ints) -> Ints:
    """The cost on nodes in use.

    Args:
        price: micro-dollars an hour.
        added_cs: for how much longer each is expected to be in use.
        unused_cs: of `free_times`, or of `extender.fragments.charge`.
    """
    costs: Ints = price * (added_cs + unused_cs)
    return costs


def costs_of_opening(price: Ints, asked: Ints) -> Ints:
    """The cost on nodes not in use, `asked` being the pod's dominant share of each in thousandths."""
    costs: Ints = OPENING + price * (((100 - EXPECTED_FILL_PERCENT) * SCALE + EXPECTED_FILL_PERCENT * asked) // 100)
    return costs


def free_times(cpu_left: Ints, cpu: Ints, memory_left: Ints, memory: Ints) -> Ints:
    """For how long what stays free of each node is charged, in hundredths of a second.

    Three quarters of the larger free share of CPU and memory and a quarter of the smaller one; a resource of which a node has nothing does
    not count. `left` is what is free once the pod is there.
    """
    if cpu.all() and memory.all():
        one, other = _free_times(cpu_left, cpu), _free_times(memory_left, memory)
    else:
        of_cpu, of_memory = _free_times(cpu_left, np.maximum(cpu, 1)), _free_times(memory_left, np.maximum(memory, 1))
        one, other = np.where(cpu > 0, of_cpu, of_memory), np.where(memory > 0, of_memory, of_cpu)
    free: Ints = (3 * np.maximum(one, other) + np.minimum(one, other)) // 4
    return free


def _free_times(left: Ints, capacity: Ints) -> Ints:
    times: Ints = (np.maximum(left, 0) / capacity * FIT_CS).astype(np.int64)
    return times


def asked_shares_of(cpu_asked: int, cpu: Ints, memory_asked: int, memory: Ints) -> Ints:
    """The pod's dominant share of each node in thousandths; as `extender.scoring.strategy.asked_share`."""
    shares = [
        np.where(capacity > 0, asked * SCALE // np.maximum(capacity, 1), 0)
        for asked, capacity in ((cpu_asked, cpu), (memory_asked, memory))
    ]
    share: Ints = np.maximum(*shares)
    return np.where((cpu > 0) | (memory > 0), share, SCALE)
