"""Pods that are placed at one moment find better nodes together than one after the other; no node is opened, none overfilled."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extender.lifetimes.block import Block, Ground, Kind
from extender.lifetimes.local_search import rearranged
from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import EDGES, known_survival

GIB = 2**30
HOUR = 3600.0


def stays(seconds: float) -> Floats:
    """The survival of a pod that ends for sure so many seconds from now."""
    share: Floats = known_survival(np.array([seconds]))[0]
    return share


def nodes(*others_stay: float, cpu: int = 4000, used: int = 0, prices: tuple[int, ...] = ()) -> Ground:
    """Nodes of one size with others on them for so many seconds; 0 is a node without any."""
    count = len(others_stay)
    kept = np.array(others_stay) > 0
    return Ground(
        price=np.array(prices or [100] * count, np.int64),
        cpu=np.full(count, cpu, np.int64),
        memory=np.full(count, 64 * GIB, np.int64),
        cpu_left=np.where(kept, cpu - used, cpu),
        memory_left=np.full(count, 64 * GIB, np.int64),
        pods_left=np.full(count, 110, np.int64),
        kept=kept,
        gone=np.array([1 - stays(seconds) for seconds in others_stay]),
    )


def cost(ground: Ground, kinds: list[Kind], placed: list[tuple[int, int]]) -> float:
    block = Block(ground, kinds)
    for kind, node in placed:
        block.put({kind: 1}, node)
    return sum(block.cost(node, there) for node, there in block.on.items())


def test_a_pod_that_stays_changes_places_with_one_that_leaves() -> None:
    kinds = [Kind("short", 2000, GIB, stays(1200)), Kind("long", 2000, GIB, stays(24 * HOUR))]

    # node 0 is there for two days, node 1 for ten minutes, each with room for one: the long pod belongs on the first
    assert rearranged(nodes(48 * HOUR, 600, used=2000), kinds, [(0, 0), (1, 1)]) == [1, 0]


def test_all_pods_of_a_kind_go_together_where_one_alone_would_save_nothing() -> None:
    kinds = [Kind("a", 1000, GIB, stays(12 * HOUR))]
    ground = nodes(0, 48 * HOUR, used=1000)

    # one of the three keeps node 0 in use as long as three do; without all of them it is not needed at all
    assert rearranged(ground, kinds, [(0, 0)] * 3) == [1, 1, 1]


def test_pods_of_an_owner_go_together_though_they_are_not_alike() -> None:
    kinds = [Kind("a", 1000, GIB, stays(12 * HOUR)), Kind("a", 2000, GIB, stays(12 * HOUR))]

    assert rearranged(nodes(0, 48 * HOUR, used=1000), kinds, [(0, 0), (1, 0)]) == [1, 1]


def test_an_empty_node_is_not_opened() -> None:
    kinds = [Kind("a", 1000, GIB, stays(12 * HOUR))]

    assert rearranged(nodes(60, 0, prices=(1000, 1), used=1000), kinds, [(0, 0)]) == [0]


def test_a_pod_stays_off_nodes_on_which_it_may_not_stand() -> None:
    kinds = [Kind("a", 1000, GIB, stays(12 * HOUR), np.array([True, False, True]))]

    assert rearranged(nodes(60, 48 * HOUR, 24 * HOUR), kinds, [(0, 0)]) == [2]


def test_a_pod_joins_the_sibling_that_stands() -> None:
    """On node 1 the owner's pod stays as long as the newcomer, so that it adds nothing there."""
    sibling = stays(12 * HOUR)
    ground = nodes(6 * HOUR, 12 * HOUR)
    ground = Ground(
        **{name: getattr(ground, name) for name in Ground.__slots__ if name != "siblings"}, siblings={"a": {1: sibling}}
    )

    assert rearranged(ground, [Kind("a", 1000, GIB, sibling)], [(0, 0)]) == [1]


@given(st.data())
def test_the_cost_never_rises_and_nodes_are_never_overfilled(data: st.DataObject) -> None:
    draw = data.draw
    others = draw(st.lists(st.sampled_from([0.0, 600.0, 7200.0, EDGES[-1]]), min_size=2, max_size=6))
    prices = tuple(draw(st.lists(st.integers(1, 1000), min_size=len(others), max_size=len(others))))
    ground = nodes(*others, used=1000, prices=prices)
    lives = st.sampled_from([300.0, 1200.0, 7200.0, 86_400.0, EDGES[-1]])
    kinds = [
        Kind(
            draw(st.sampled_from("ab")),
            draw(st.integers(1, 4)) * 500,
            draw(st.integers(1, 30)) * GIB,
            stays(draw(lives)),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    cpu, memory = ground.cpu_left.copy(), ground.memory_left.copy()
    placed = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.integers(0, len(kinds) - 1))
        fits = np.flatnonzero((cpu >= kinds[kind].cpu) & (memory >= kinds[kind].memory))
        if len(fits):
            node = int(draw(st.sampled_from(fits.tolist())))
            cpu[node] -= kinds[kind].cpu
            memory[node] -= kinds[kind].memory
            placed.append((kind, node))
    used_before = {node for _, node in placed} | set(np.flatnonzero(ground.kept).tolist())

    found = [(kind, node) for (kind, _), node in zip(placed, rearranged(ground, kinds, placed), strict=True)]

    # nodes without these pods cost the same before and after, as far as others keep them
    bare = sum(Block(ground, kinds).cost(node, {}) for node in range(len(others)))

    def total(places: list[tuple[int, int]]) -> float:
        touched = {node for _, node in places}
        return cost(ground, kinds, places) + bare - sum(Block(ground, kinds).cost(node, {}) for node in touched)

    assert total(found) <= total(placed) + 1e-6 * abs(total(placed))
    assert {node for _, node in found} <= used_before
    for node in range(len(others)):
        assert sum(kinds[kind].cpu for kind, at in found if at == node) <= ground.cpu_left[node]
        assert sum(kinds[kind].memory for kind, at in found if at == node) <= ground.memory_left[node]
