"""The packing with hindsight: what it knows, and that rounds never make it worse."""

import random

import pytest

from simulator.engine import Replay
from simulator.hindsight import hindsight
from simulator.policies import policy_named
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.whole_pods import whole_pod_bound
from simulator.window import Window, window_of

GIB = 2**30
NODE = NodeRow("n", 4000, 16 * GIB, price_micro_usd_per_hour=1_000_000, max_pods=8)


def elastic(rows: list[tuple[int, int, int]]) -> Trace:
    """Pods by CPU, arrival and departure."""
    pods = tuple(
        PodRow(index, f"p{index}", PodShape(cpu, GIB), arrival_s=arrival, departure_s=departure)
        for index, (cpu, arrival, departure) in enumerate(rows)
    )
    return Trace((NODE,), pods, elastic=True, timed=True)


def random_trace(seed: int) -> Trace:
    chance = random.Random(seed)  # noqa: S311 - a seeded trace, not a secret
    arrivals = sorted(chance.randrange(200) * 600 for _ in range(250))
    lives = [chance.choice([600, 1800, 7200, 40_000]) for _ in arrivals]
    return elastic(
        [(chance.choice([500, 1000, 2500]), at, at + life) for at, life in zip(arrivals, lives, strict=True)]
    )


def test_room_is_kept_for_a_pod_that_comes_later_and_stays() -> None:
    # the short pod comes first; whoever cannot look ahead stands the two long ones apart or adds to the short one's node
    trace = elastic([(2000, 0, 36_000), (2000, 300, 3900), (2000, 600, 36_000)])

    online = Replay(trace, policy_named("stowplan-true-lifetimes")).run().node_hours_micro_usd

    # both long pods on one node for ten hours, the short one by itself for one
    assert hindsight(trace, window_of(trace)) == 11_000_000
    # placed as they come: short and first long pod share, the last one stands alone from 600 s on
    assert online == 1_000_000 * (36_000 + 35_400) // 3600


@pytest.mark.parametrize("seed", range(3))
def test_rounds_only_help_and_never_go_below_the_bound(seed: int) -> None:
    trace = random_trace(seed)
    window = window_of(trace)

    built, rearranged = hindsight(trace, window), hindsight(trace, window, rounds=60)

    assert whole_pod_bound(trace, window).node_hours_micro_usd <= rearranged < built
    assert rearranged == hindsight(trace, window, rounds=60)


def test_only_the_window_counts_and_who_never_leaves_stays_to_its_end() -> None:
    pods = (
        PodRow(0, "a", PodShape(1000, GIB), arrival_s=0, departure_s=1800),
        PodRow(1, "b", PodShape(4000, GIB), arrival_s=0),
    )
    trace = Trace((NODE,), pods, elastic=True, timed=True)

    assert hindsight(trace, Window(900, 4500)) == 1_000_000 + 250_000


def test_what_it_is_not_made_for_is_refused() -> None:
    with pytest.raises(ValueError, match="without GPUs"):
        hindsight(Trace((NodeRow("n", 1000, GIB, gpu_count=1),), (), elastic=True), Window(0, 1))
