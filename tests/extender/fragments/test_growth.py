"""Growth that is kept is that of a fresh look, whatever has changed since."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extender.fragments.charge import HORIZON_CS, WHERE_NODES_STAY, charged_cs
from extender.fragments.growth import Growth
from extender.fragments.room import Demand, Ints, Room
from extender.fragments.unusable import PodMix, unusable

MIX = PodMix.of([(Demand(1000, 2, 0, 1), 3), (Demand(4000, 1, 0, 2), 1)])
NODES = 6


class Cluster:
    """Nodes with four GPUs each, but for the last, which has none."""

    def __init__(self) -> None:
        self.cpu = np.full(NODES, 8000)
        self.memory = np.full(NODES, 8)
        self.gpu = np.array([4] * (NODES - 1) + [0])
        self.looks = 0

    def room(self, rows: Ints) -> Room:
        """What is free on some of them."""
        self.looks += len(rows)
        size = np.where(rows < NODES - 1, 4, 0)[None]
        where = np.where(size > 0, 0, -1)
        accepts = np.ones((2, len(rows)), np.bool_)
        return Room(
            self.cpu[rows], self.memory[rows], self.gpu[rows][None], size, where, np.where(size > 0, 1.0, 0.0), accepts
        )


steps = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, 4000), st.integers(0, 1)), max_size=12)
demands = st.sampled_from([Demand(500, 1), Demand(1000, 2, 0, 1), Demand(2000, 0, 0, 2)])


@given(steps, st.lists(demands, min_size=1, max_size=3), st.lists(st.integers(0, NODES - 1), min_size=1, unique=True))
def test_kept_growth_is_fresh(changes: list[tuple[int, int, int]], asked: list[Demand], rows: list[int]) -> None:
    cluster = Cluster()
    growth, some = Growth(MIX, cluster.room), np.array(rows)
    for row, cpu, gpus in [(0, 0, 0), *changes]:
        cluster.cpu[row] -= min(cpu, int(cluster.cpu[row]))
        cluster.gpu[row] -= min(gpus, int(cluster.gpu[row]))
        growth.changed(row)
        for demand in asked:
            room = cluster.room(some)
            grown = unusable(MIX, room.with_pod(demand)) - unusable(MIX, room)
            expected = np.where(room.total > 0, grown / np.maximum(room.total, 1), 0)
            assert np.allclose(growth.share(demand, some), expected, atol=1e-12)


def test_a_node_that_did_not_change_is_not_looked_at_again() -> None:
    cluster = Cluster()
    growth, rows = Growth(MIX, cluster.room), np.arange(NODES)
    growth.share(Demand(500, 1), rows)
    looks = cluster.looks

    growth.share(Demand(500, 1), rows)
    assert cluster.looks == looks
    growth.changed(2)
    growth.share(Demand(500, 1), rows)
    assert cluster.looks == looks + 1
    assert growth.demands == (Demand(500, 1),)


def test_charges_are_whole_and_bounded() -> None:
    price = np.array([1_000_000, 1_000_000, 10**12])
    share = np.array([0.25, -0.5, 1.0])

    charged = charged_cs(price, share, stay=True)

    # three days at a hundred a second, two hundred times, for a quarter and for a half
    assert HORIZON_CS == 3 * 86_400 * 100
    assert charged[0] == WHERE_NODES_STAY * HORIZON_CS // 4
    assert charged[1] == -WHERE_NODES_STAY * HORIZON_CS // 2
    assert 0 < charged[2] * 10**12 <= 2**59  # a million dollars an hour: cut off
    assert charged_cs(price, share, stay=False)[0] == HORIZON_CS // 4
