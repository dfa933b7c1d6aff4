"""Laws of the extender's answers, for any state of the cluster, any plan and any body."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given

from extender.answering.wire import WireError, decode_args, encode_filter_result, encode_host_priorities
from extender.cluster.cache import Cache
from extender.cluster.node_load import NodeLoad
from extender.deciding.candidates import View, evaluate, fill_order, greedy, is_occupied
from extender.deciding.latency import sensitivity
from extender.deciding.narrowing import narrow
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.outcomes import NARROWING
from extender.deciding.prioritize import prioritize
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.occupancy import REFRESH_S
from extender.plan import Plan
from extender.planner.lives import Lives
from extender.scoring import STRATEGIES, Candidate, strategy_named
from extender.scoring.expected_cost import expected_cost
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod, PodSignature, SpreadConstraint
from tests.support.extender import GIB, Clock, decider, info, node, pod, signature, snapshot

NAMES = [f"n{i}" for i in range(6)]
SIGNATURES = (
    signature("web", cpu=1000),
    signature("db", cpu=3000, memory=8 * GIB),
    signature("soft", cpu=500, spread=(SpreadConstraint("zone", 1, hard=False, selector=None),)),
    signature("claims", unplannable="resource claims"),
    signature("DaemonSet", cpu=100),
)
signatures = st.sampled_from(SIGNATURES)
infos = st.builds(
    lambda name, residents, price, **changes: info(node(name, price=price, **changes), residents),
    st.sampled_from(NAMES),
    st.dictionaries(signatures, st.integers(1, 2), max_size=2),
    st.integers(0, 400_000),
    unschedulable=st.booleans(),
    ready=st.booleans(),
)
plans = st.builds(
    Plan,
    generation=st.integers(0, 3),
    slots=st.dictionaries(signatures, st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2))),
    fill_order=st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
)
offers = st.lists(st.sampled_from([*NAMES, "elsewhere"]), unique=True)
pods = st.builds(pod, uid=st.sampled_from(["u1", "u2"]), sig=signatures, nominated_node=st.sampled_from(["", "n1"]))
held = st.lists(st.tuples(st.sampled_from(["u1", "u2", "u3"]), signatures, st.sampled_from(NAMES)), max_size=3)
strategies = st.sampled_from(sorted(STRATEGIES))


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view: the plan need not fit the cluster."""
    reservations = Reservations(Clock())
    for uid, sig, where in draw(held):
        reservations.take(uid, sig, where)
    ledger = SlotLedger(reservations)
    ledger.use(draw(plans))
    for sig, where in draw(st.lists(st.tuples(signatures, st.sampled_from(NAMES)), max_size=3)):
        ledger.bound(sig, where, generation=2)
    seen = snapshot(*draw(st.lists(infos, max_size=6, unique_by=lambda i: i.node.name)))
    return View(
        seen, ledger, reservations, ledger.plan.fill_order or fill_order(seen), strategy_named(draw(strategies))
    )


@given(views(), pods, offers, st.booleans())
def test_narrowing_is_never_empty_and_a_subset_in_order(
    view: View, asking: Pod, names: list[str], retried: bool
) -> None:
    answer = narrow(asking, names, view, retried=retried)

    assert bool(answer.names) == bool(names)
    assert list(answer.names) == [name for name in names if name in set(answer.names)]
    assert (answer.outcome in NARROWING) == bool(answer.chosen)
    if not answer.chosen:
        assert answer.names is names
    else:
        assert answer.chosen in answer.names


@given(views(), pods, offers)
def test_what_is_named_has_room_by_the_books(view: View, asking: Pod, names: list[str]) -> None:
    for option in narrow(asking, names, view).options:
        there = view.snapshot.nodes[option.node]
        reserved = view.reservations.used(option.node, besides=asking.uid)
        for resource, amount in asking.signature.requests:
            taken = there.used.get(resource, 0) + reserved.get(resource, 0)
            assert amount == 0 or taken + amount <= there.node.allocatable.get(resource, 0)


@given(views(), pods, offers, st.booleans())
def test_scores_are_distinct_integers_of_offered_nodes(
    view: View, asking: Pod, names: list[str], retried: bool
) -> None:
    answer = prioritize(asking, names, view, retried=retried)

    hosts = [host for host, _ in answer.scores]
    values = [score for _, score in answer.scores]
    assert set(hosts) <= set(names)
    assert len(set(hosts)) == len(hosts)
    assert values == sorted(set(values), reverse=True)
    assert all(type(value) is int and 1 <= value <= 10 for value in values)


@given(views(), pods, offers)
def test_the_same_state_gives_the_same_answer(view: View, asking: Pod, names: list[str]) -> None:
    assert narrow(asking, names, view) == narrow(asking, names, view)
    assert prioritize(asking, names, view) == prioritize(asking, names, view)


@given(strategies, st.data())
def test_every_strategy_gives_integers_for_any_amounts(name: str, data: st.DataObject) -> None:
    amounts = st.dictionaries(st.sampled_from(["cpu", "memory", "pods", "nvidia.com/gpu"]), st.integers(0, 2**63 - 1))
    asked, used, allocatable = (data.draw(amounts) for _ in range(3))
    given_ = Candidate(asked, used, allocatable, data.draw(st.integers(0, 10**12)), data.draw(st.booleans()))

    assert type(strategy_named(name)(given_)) is int


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(0, 24), st.booleans()), min_size=1, max_size=60
    ),
    st.sampled_from(["critical", "standard", "batch", ""]),
    st.integers(1, 4),
)
def test_the_walk_by_expected_cost_finds_the_best_few_of_all_nodes(
    nodes: list[tuple[int, int, int, bool]], of_class: str, wanted: int
) -> None:
    """It ends early, but never before a better node: latency only adds to the cost that it goes by."""
    web = signature("web", workload_class=of_class)
    infos = [info(node(f"n{i}", price=price * 10_000), {web: pods}) for i, (pods, price, _, _) in enumerate(nodes)]
    loads = {f"n{i}": NodeLoad(load * 50, pods * 1000) for i, (pods, _, load, _) in enumerate(nodes)}
    seen = dataclasses.replace(snapshot(*infos), loads=loads)
    by_cost = NodeLedger()
    by_cost.update(seen.nodes, {name: is_occupied(there) for name, there in seen.nodes.items()})
    held = Reservations(Clock())
    view = View(seen, SlotLedger(held), held, (), expected_cost, BUILTIN_CLASSES, by_cost)
    names = [f"n{i}" for i, (_, _, _, offered) in enumerate(nodes) if offered]
    asking = pod("new", web)

    found = greedy(asking, names, view, candidates=len(nodes), wanted=wanted)

    feeling = sensitivity(web, BUILTIN_CLASSES, view.plan.guidance)
    evaluated = (evaluate(asking, dict(web.requests), name, view, feeling, planned=False) for name in names)
    best = sorted((option.value for option in evaluated if option is not None), reverse=True)
    assert [option.value for option in found[:wanted]] == best[:wanted]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
pod_like = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"uid": st.just("u1"), "namespace": st.just("shop"), "name": json_values})
        | json_values,
        "spec": st.fixed_dictionaries({"containers": json_values}) | json_values,
    }
)
bodies: st.SearchStrategy[Any] = json_values | st.fixed_dictionaries(
    {"Pod": pod_like | json_values, "NodeNames": offers | json_values}, optional={"Nodes": json_values}
)


@given(bodies)
@example({"Pod": None, "NodeNames": ["", None, ""]})  # what is no name goes back as it came
def test_any_json_is_refused_or_answered_without_a_veto(body: Any) -> None:
    ours = decider(info(node("n1")), info(node("n2"), {SIGNATURES[0]: 1}))
    try:
        args = decode_args(json.dumps(body).encode())
    except WireError:
        return

    offered, kept = (
        json.loads(encode_filter_result(args, names))["NodeNames"] for names in (args.names, ours.filter(args))
    )
    scored = json.loads(encode_host_priorities(ours.prioritize(args)))

    assert bool(kept) == bool(offered)
    assert all(name in offered for name in kept)
    assert all(isinstance(entry["Score"], int) and entry["Host"] in offered for entry in scored)


def test_the_signatures_used_here_differ() -> None:
    assert len(set[PodSignature](SIGNATURES)) == len(SIGNATURES)


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(-(10**6), 10**6)), min_size=1, max_size=12))
def test_the_system_clock_may_jump_at_any_time_and_nothing_else_is_learned(steps: list[tuple[int, int]]) -> None:
    """Pods come and go a step later; each step moves time on and the system clock to somewhere."""

    def taught(*, jumps: bool) -> list[NodeValues]:
        clock, off = Clock(), [0]
        lives = Lives(clock, lambda: clock.now + off[0])
        cache, published = Cache(observer=lives), []
        for number, (seconds, jump) in enumerate(steps):
            off[0] = jump if jumps else 0
            cache.upsert_pod(pod(f"u{number}", SIGNATURES[number % 2], "n1", created_s=int(clock.now)))
            clock.now += seconds
            cache.delete_pod(f"u{number}")
            wait = lives.due_in()
            assert wait is not None
            assert 0 <= wait <= REFRESH_S
            published.append(lives.values(number))
        return [values for values in published if values is not None]

    steady, jumping = taught(jumps=False), taught(jumps=True)

    assert [values.generation for values in jumping] == [values.generation for values in steady]
    for one, other in zip(steady, jumping, strict=True):
        assert (one.expectations.rates == other.expectations.rates).all()
