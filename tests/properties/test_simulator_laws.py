"""Laws of the simulator, for every policy."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extender.moves.allowance import PODS_PER_MOVE
from simulator.bounds import lower_bound
from simulator.cluster import Cluster
from simulator.engine import Replay
from simulator.hindsight import hindsight
from simulator.opening import fits_empty
from simulator.policies import POLICIES, policy_named
from simulator.trace import NodeRow, PodRow, PodShape, Trace
from simulator.whole_pods import whole_pod_bound
from simulator.window import window_of

GIB = 2**30
NODES = st.builds(
    NodeRow,
    name=st.just("n"),
    cpu_millicores=st.integers(1, 16).map(lambda cores: cores * 1000),
    memory_bytes=st.integers(1, 64).map(lambda gib: gib * GIB),
    gpu_count=st.sampled_from([0, 0, 1, 2, 4]),
    gpu_model=st.sampled_from(["T4", "A10"]),
    price_micro_usd_per_hour=st.integers(10_000, 2_000_000),
    max_pods=st.integers(1, 20),
)
SHAPES = st.builds(
    PodShape, st.integers(0, 8).map(lambda cores: cores * 500), st.integers(0, 16).map(lambda gib: gib * GIB)
) | st.builds(
    PodShape,
    st.integers(1, 4).map(lambda cores: cores * 1000),
    st.just(GIB),
    st.just(1),
    st.sampled_from([200, 470, 810, 1000]),
    st.sampled_from([(), ("A10",)]),
)
LIVES = st.none() | st.integers(1, 20_000)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    nodes = tuple(draw(st.lists(NODES, min_size=1, max_size=5)))
    timed, elastic = draw(st.booleans()), draw(st.booleans())
    pods = []
    for index, shape in enumerate(draw(st.lists(SHAPES, min_size=1, max_size=24))):
        arrival = 600 * (index // 3) if timed else 0
        life = draw(LIVES) if timed else None
        owner = f"o{index % 4}"
        limit = draw(st.sampled_from([0, 0, 0, 1]))
        departure = None if life is None else arrival + life
        pods.append(
            PodRow(index, f"p{index}", shape, owner, max_per_node=limit, arrival_s=arrival, departure_s=departure)
        )
    return Trace(nodes, tuple(pods), elastic, timed)


law = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", POLICIES)
@law
@given(trace=traces())
def test_every_pod_is_placed_once_or_counted_and_no_node_holds_more_than_it_has(name: str, trace: Trace) -> None:
    replay = Replay(trace, policy_named(name))
    least: list[int] = []

    def look(_: int) -> None:
        cluster: Cluster = replay.cluster
        least.extend(int(left.min(initial=0)) for left in (cluster.cpu, cluster.memory, cluster.pods_left, cluster.gpu))

    outcome = replay.run(look)

    assert min(least) >= 0
    assert outcome.placed + outcome.unplaced == len(trace.pods)
    assert outcome.moves <= outcome.placed // PODS_PER_MOVE


@pytest.mark.parametrize("name", POLICIES)
@law
@given(trace=traces())
def test_no_policy_goes_below_the_bound(name: str, trace: Trace) -> None:
    outcome = Replay(trace, policy_named(name)).run()
    bound = lower_bound(trace, window_of(trace))

    if not outcome.unplaced:
        # the bound is rounded down, the outcome as well: they may differ by one micro-dollar
        assert outcome.node_hours_micro_usd >= bound.node_hours_micro_usd - 1
        assert outcome.nodes_used >= bound.nodes_used


@law
@given(trace=traces())
def test_whole_pods_need_no_less_than_pieces_and_no_more_than_any_packing(trace: Trace) -> None:
    kind = dataclasses.replace(trace.nodes[0], gpu_count=0)
    elastic = Trace((kind,), trace.pods, elastic=True, timed=trace.timed)
    window = window_of(elastic)
    pieces, whole = lower_bound(elastic, window), whole_pod_bound(elastic, window)

    packed = hindsight(elastic, window, rounds=3)

    assert whole.node_hours_micro_usd >= pieces.node_hours_micro_usd
    assert whole.nodes_used >= pieces.nodes_used
    assert whole.node_hours_micro_usd <= packed
    for name in ("most-allocated", "stowplan-batches-true-lifetimes"):
        assert whole.node_hours_micro_usd <= Replay(elastic, policy_named(name)).run().node_hours_micro_usd


@pytest.mark.parametrize("name", POLICIES)
@law
@given(trace=traces())
def test_an_elastic_cluster_places_whatever_fits_on_an_empty_node(name: str, trace: Trace) -> None:
    elastic = Trace(trace.nodes, trace.pods, elastic=True, timed=trace.timed)

    outcome = Replay(elastic, policy_named(name)).run()

    assert outcome.placed == sum(any(fits_empty(row, pod.shape) for row in trace.nodes) for pod in trace.pods)


@pytest.mark.parametrize("name", ["least-allocated", "most-allocated", "dot-product", "fgd", "stowplan"])
@law
@given(trace=traces())
def test_kept_scores_decide_as_fresh_ones_do(name: str, trace: Trace) -> None:
    kept, fresh = policy_named(name), policy_named(name)
    fresh.__class__ = type("Fresh", (type(fresh),), {"static": False})

    assert _without_time(Replay(trace, kept)) == _without_time(Replay(trace, fresh))


@law
@given(trace=traces())
def test_no_learned_decision_depends_on_the_future(trace: Trace) -> None:
    """Where pods go must not change when those that have not ended by the last arrival live for ever instead."""
    last = max(pod.arrival_s for pod in trace.pods)
    pods = tuple(
        PodRow(p.index, p.name, p.shape, p.owner, max_per_node=p.max_per_node, arrival_s=p.arrival_s)
        if p.departure_s is not None and p.departure_s > last
        else p
        for p in trace.pods
    )
    changed = Trace(trace.nodes, pods, trace.elastic, trace.timed)

    assert _targets(trace) == _targets(changed)


def _targets(trace: Trace) -> list[int]:
    found: list[int] = []
    policy = policy_named("stowplan")
    original = policy.placed

    def placed(cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        found.append(slot)
        original(cluster, pod, slot, now)

    policy.placed = placed  # type: ignore[method-assign]  # a spy on our own class
    Replay(trace, policy).run()
    return found


def _without_time(replay: Replay) -> tuple[object, ...]:
    outcome = replay.run()
    return (outcome.placed, outcome.nodes_used, outcome.node_hours_micro_usd, outcome.allocated)
