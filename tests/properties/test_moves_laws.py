"""Laws of moves: of the decision on bare numbers, and of what `stowplan moves` proposes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extender.cluster.snapshot import NodeInfo, Snapshot
from extender.moves.budgets import Budgets, DisruptionBudget
from extender.moves.consolidation import propose
from extender.moves.emptying import HOURS_PER_MOVE, Candidate, Decision, Limits, decide
from extender.moves.room import Mover, Nodes
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.selectors import Expression, LabelSelector
from tests.support.extender import GIB, info, node, pod, signature

law = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LIMITS = st.builds(Limits, st.integers(1, 5), st.integers(1, 4), st.sampled_from([0, 3, 6, 12, 12]))
HOURS = st.sampled_from([0, 1, 3, 24, 48, 72, 72])


@dataclass(frozen=True)
class Thing:
    """A pod of the law on numbers."""

    name: str
    owner: str
    cpu: int
    memory: int


@dataclass
class World:
    """A cluster in numbers, with rules of its own."""

    capacity: list[tuple[int, int, int]]
    """By row CPU, memory, pods."""
    price: list[int]
    left: list[float]
    on: list[list[Thing]]
    candidates: list[int]
    forbidden: set[tuple[str, int]]
    budgets: dict[str, int]
    limits: Limits
    cordoned: set[int] = field(default_factory=set)

    def attempt(self, candidate: Candidate[Thing]) -> World:
        """The rules are always the same."""
        del candidate
        return self

    def admits(self, thing: Thing, row: int) -> bool:
        """Whether it is not forbidden."""
        return (thing.name, row) not in self.forbidden

    def put(self, thing: Thing, row: int) -> None:
        """Nothing changes for others."""

    def keep(self) -> str:
        """Nobody objects."""
        return ""

    def free(self) -> list[list[int]]:
        """What is free by row."""
        return [
            [cpu - sum(t.cpu for t in on), memory - sum(t.memory for t in on), pods - len(on)]
            for (cpu, memory, pods), on in zip(self.capacity, self.on, strict=True)
        ]


class Left:
    """Budgets by owner."""

    def __init__(self, left: dict[str, int]) -> None:
        self.left = dict(left)

    def copy(self) -> Left:
        """The same, to be spent apart."""
        return Left(self.left)

    def refuses(self, thing: Thing) -> str:
        """Whether none is left."""
        return "used up" if self.left.get(thing.owner, 1) <= 0 else ""

    def spend(self, thing: Thing) -> None:
        """One less."""
        if thing.owner in self.left:
            self.left[thing.owner] -= 1


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(2, 7))
    capacity = [(draw(st.integers(3, 10)), draw(st.integers(3, 10)), draw(st.integers(1, 8))) for _ in range(count)]
    on: list[list[Thing]] = []
    for row, (cpu, memory, pods) in enumerate(capacity):
        there: list[Thing] = []
        for number in range(draw(st.integers(0, 3))):
            thing = Thing(
                f"{row}-{number}", draw(st.sampled_from("aabc")), draw(st.integers(0, 3)), draw(st.integers(0, 3))
            )
            if (
                sum(t.cpu for t in there) + thing.cpu <= cpu
                and sum(t.memory for t in there) + thing.memory <= memory
                and len(there) < pods
            ):
                there.append(thing)
        on.append(there)
    names = [thing.name for there in on for thing in there]
    pairs = st.tuples(st.sampled_from(names or ["none"]), st.integers(0, count - 1))
    return World(
        capacity,
        price=[draw(st.integers(1, 5)) * 100_000 for _ in range(count)],
        left=[draw(HOURS) * 3600.0 for _ in range(count)],
        on=on,
        candidates=[row for row, there in enumerate(on) if draw(st.integers(0, 5)) and there],
        forbidden=draw(st.sets(pairs, max_size=6)),
        budgets=draw(st.dictionaries(st.sampled_from("abc"), st.sampled_from([0, 1, 1, 2]))),
        limits=draw(LIMITS),
        cordoned={row for row in range(count) if draw(st.integers(0, 9)) == 9},
    )


def numbers(world: World) -> Nodes:
    free = np.array(world.free(), np.int64)
    capacity = np.array(world.capacity, np.int64)
    return Nodes(
        price=np.array(world.price, np.int64),
        cpu=capacity[:, 0],
        memory=capacity[:, 1],
        cpu_left=free[:, 0],
        memory_left=free[:, 1],
        pods_left=free[:, 2],
        in_use=np.array([bool(on) and row not in world.cordoned for row, on in enumerate(world.on)]),
        seconds_left=np.array(world.left),
    )


def decision(world: World, nodes: Nodes) -> Decision[Thing]:
    candidates = [Candidate(r, tuple(Mover(t, t.cpu, t.memory) for t in world.on[r])) for r in world.candidates]
    return decide(nodes, candidates, world, Left(world.budgets), world.limits)


@law
@given(worlds())
def test_a_decision_can_be_carried_out_move_by_move_within_all_that_bounds_it(world: World) -> None:
    found = decision(world, numbers(world))

    free, where = world.free(), {t.name: row for row, on in enumerate(world.on) for t in on}
    spent: Counter[str] = Counter()
    for emptied in found.emptied:
        # Nobody empties a node that has taken pods: it holds just those it held in the beginning.
        assert sorted(t.name for t, _ in emptied.moves) == sorted(n for n, row in where.items() if row == emptied.row)
        assert len(emptied.moves) <= world.limits.pods_per_node
        for thing, target in emptied.moves:
            free[target] = [
                left - asked for left, asked in zip(free[target], (thing.cpu, thing.memory, 1), strict=True)
            ]
            assert min(free[target]) >= 0
            assert world.on[target]
            assert target not in world.cordoned
            assert (thing.name, target) not in world.forbidden
            where[thing.name] = target
            spent[thing.owner] += 1
    gone = {emptied.row for emptied in found.emptied}
    assert not gone & set(where.values())
    assert gone <= set(world.candidates)
    assert all(spent[owner] <= allowed for owner, allowed in world.budgets.items())
    assert spent.total() <= world.limits.moves
    assert len(gone) <= world.limits.drains
    assert not gone & found.kept.keys()


@law
@given(worlds())
def test_every_emptied_node_saves_what_its_moves_have_to_save(world: World) -> None:
    found = decision(world, numbers(world))

    left = list(world.left)
    for emptied in found.emptied:
        price, stays = world.price[emptied.row], left[emptied.row]
        assert stays >= HOURS_PER_MOVE * 3600 * len(emptied.moves)
        added = 0.0
        for _, target in emptied.moves:
            longer = max(0.0, stays - left[target])
            added += world.price[target] * longer
            left[target] += longer
        assert price * (stays - HOURS_PER_MOVE * 3600 * len(emptied.moves)) >= added


@law
@given(worlds())
def test_a_decision_changes_nothing_it_was_given_and_comes_out_the_same_again(world: World) -> None:
    nodes, untouched = numbers(world), numbers(world)

    assert decision(world, nodes) == decision(world, nodes)

    for name in Nodes.__slots__:
        assert (getattr(nodes, name) == getattr(untouched, name)).all()


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Snapshot, list[Pod]]:
    owners = ["web", "api", "db"]
    infos: dict[str, NodeInfo] = {}
    pods: list[Pod] = []
    for index in range(draw(st.integers(2, 6))):
        residents: list[PodSignature] = []
        for owner, cpu, memory in draw(
            st.lists(
                st.tuples(st.sampled_from(owners), st.sampled_from([500, 1500]), st.sampled_from([1, 6])), max_size=4
            )
        ):
            asked = signature(owner, cpu=cpu, memory=memory * GIB)
            if sum(dict(s.requests)["cpu"] for s in (*residents, asked)) <= 4000 and (
                sum(dict(s.requests)["memory"] for s in (*residents, asked)) <= 16 * GIB
            ):
                residents.append(asked)
        name = f"n{index}"
        changes: dict[str, Any] = draw(
            st.sampled_from([{}, {}, {}, {"unschedulable": True}, {"kept": "karpenter.sh/do-not-disrupt"}])
        )
        infos[name] = info(node(name, price=draw(st.integers(1, 5)) * 100_000, **changes), dict(Counter(residents)))
        pods += [pod(f"{name}-{number}", one, name) for number, one in enumerate(residents)]
    return Snapshot(1, infos, {}), pods


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=clusters(),
    allowed=st.dictionaries(st.sampled_from(["web", "api", "db"]), st.integers(0, 2)),
    patient=st.booleans(),
    hours=st.none() | st.lists(HOURS, min_size=6, max_size=6),
    limits=LIMITS,
)
def test_a_proposal_can_be_carried_out_move_by_move_and_breaks_no_budget(
    made: tuple[Snapshot, list[Pod]], allowed: dict[str, int], hours: list[int] | None, limits: Limits, *, patient: bool
) -> None:
    snapshot, pods = made
    selectors = {owner: LabelSelector((Expression("app", "In", (owner,)),)) for owner in allowed}
    budgets = Budgets([DisruptionBudget("shop", o, selectors[o], n) for o, n in allowed.items()], patient=patient)
    left = None if hours is None else {f"n{index}": hour * 3600.0 for index, hour in enumerate(hours)}

    found = propose(snapshot, pods, budgets, BUILTIN_CLASSES, limits, left)

    where = {one.uid: one.node_name for one in pods}
    asked = {one.uid: dict(one.signature.requests) for one in pods}
    moved: Counter[str] = Counter()
    for drain in found.drains:
        assert {move.pod.uid for move in drain.moves} == {uid for uid, name in where.items() if name == drain.node}
        for move in drain.moves:
            where[move.pod.uid] = move.target
            target = snapshot.nodes[move.target]
            for resource, has in target.node.allocatable.items():
                assert sum(asked[uid][resource] for uid, name in where.items() if name == move.target) <= has
            assert target.residents
            assert not target.node.unschedulable
            moved[dict(move.pod.signature.labels)["app"]] += 1
        assert not snapshot.nodes[drain.node].node.kept
        assert not snapshot.nodes[drain.node].node.unschedulable
    assert not {drain.node for drain in found.drains} & set(where.values())
    assert moved.total() <= limits.moves
    for owner, most in allowed.items():
        # One that allows none is never asked. Where evictions wait for each other, one that allows any allows them one after the other.
        assert moved[owner] <= (0 if not most else limits.moves if patient else most)
