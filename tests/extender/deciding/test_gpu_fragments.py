"""GPU fragments in the ledger: the mix as observed, which nodes are paid for, and what the walk makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from msgspec import structs

from extender.answering.explain import why
from extender.answering.why_not import expected_dollars, option_as_json, why_not
from extender.cluster.snapshot import NodeInfo
from extender.deciding.candidates import View, is_occupied
from extender.deciding.decision_log import Decision
from extender.deciding.narrowing import narrow
from extender.deciding.node_ledger import NodeLedger, Valued
from extender.deciding.outcomes import Outcome
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.plan import EMPTY_PLAN
from extender.scoring.expected_cost import OPENING, expected_cost
from stowplan.model.node import Node
from stowplan.model.pod import Gang, PodSignature
from stowplan.model.selectors import Expression, NodeSelectorTerm, Taint
from tests.support.extender import GIB, Clock, info, node, pod, signature, snapshot

GPU, MEMORY, COUNT = "nvidia.com/gpu", "aliyun.com/gpu-mem", "aliyun.com/gpu-count"


def asking(owner: str = "gpu", cpu: int = 1000, **changes: Any) -> PodSignature:
    """A pod that asks for one GPU, or for what `gpus` says."""
    amounts = {"cpu": cpu, "memory": GIB, "pods": 1, **changes.pop("gpus", {GPU: 1})}
    return signature(owner, requests=tuple(sorted(amounts.items())), **changes)


WEB, ONE, HUNGRY = signature("web"), asking("one"), asking("hungry", cpu=6000)


def gpu_node(name: str, cpu: int = 9000, gpus: int = 2, price: int = 1_000_000, **changes: Any) -> Node:
    plain = node(name, price=price, **changes)
    return dataclasses.replace(plain, allocatable={"cpu": cpu, "memory": 64 * GIB, "pods": 110, GPU: gpus})


def ledger(*infos: NodeInfo, seen: Sequence[PodSignature] = (HUNGRY,) * 32, stay: bool = True) -> NodeLedger:
    found = NodeLedger()
    found.update({i.node.name: i for i in infos}, {i.node.name: is_occupied(i) for i in infos})
    for of in seen:
        found.fragments.see(of)
    found.renew(stay=stay)
    return found


def ranked(nodes: NodeLedger, of: PodSignature, uid: str = "new") -> list[Valued]:
    return list(nodes.ranked(pod(uid, of), dict(of.requests), list(nodes.table.rows)))


def names(nodes: NodeLedger, of: PodSignature) -> list[str]:
    return [name for name, _, _ in ranked(nodes, of)]


POOR, RICH = info(gpu_node("poor", cpu=5000)), info(gpu_node("rich"))
"""CPU for no hungry pod, and for one."""


def test_a_light_pod_leaves_the_cpu_to_those_that_need_it() -> None:
    assert names(ledger(RICH, POOR), ONE) == ["poor", "rich"]
    # before anything is known the cheaper share of a node decides: a ninth of its CPU, or a fifth
    assert names(ledger(RICH, POOR, seen=(HUNGRY,) * 31), ONE) == ["rich", "poor"]


def test_pods_without_gpus_keep_off_nodes_whose_gpus_they_would_strand() -> None:
    """8 cores are left on the rich node, enough for a hungry pod; 4 on the poor one."""
    nodes = ledger(info(RICH.node, {ONE: 1}), info(POOR.node, {ONE: 1}))

    assert names(nodes, signature("web", cpu=3000)) == ["poor", "rich"]


def test_empty_nodes_that_stay_compete_with_those_in_use_and_others_do_not() -> None:
    used_rich = info(RICH.node, {ONE: 1})

    assert names(ledger(used_rich, POOR), ONE) == ["poor", "rich"]
    assert names(ledger(used_rich, POOR, stay=False), ONE) == ["rich", "poor"]
    # a pod without GPUs opens no node with GPUs for their sake
    assert names(ledger(used_rich, POOR), WEB) == ["rich", "poor"]


def test_among_equals_a_node_in_use_comes_first() -> None:
    """Two nodes on which nothing becomes unusable: one has GPUs for nobody any more."""
    nodes = ledger(info(gpu_node("empty", cpu=1000)), info(gpu_node("used", cpu=2000), {ONE: 1}), seen=(ONE,) * 32)

    assert names(nodes, ONE) == ["used", "empty"]


def test_kinds_count_only_where_they_may_stand() -> None:
    picky = asking("picky", cpu=6000, node_selector=(Expression("model", "In", ("A100",)),))
    a100, t4 = gpu_node("a100", labels={"model": "A100"}), gpu_node("t4", labels={"model": "T4"})

    # on the T4 those that come can use nothing, whatever the pod leaves
    assert names(ledger(info(a100), info(t4), seen=(picky,) * 32), asking("light", cpu=4000)) == ["t4", "a100"]
    tainted = dataclasses.replace(t4, taints=(Taint("gpu", "", "NoSchedule"),))
    assert names(ledger(info(a100), info(tainted), seen=(HUNGRY,) * 32), asking("l", cpu=4000)) == ["t4", "a100"]


def test_pods_that_are_meant_for_one_node_are_no_part_of_the_mix() -> None:
    by_name = NodeSelectorTerm((), (Expression("metadata.name", "In", ("rich",)),))
    bound = dataclasses.replace(HUNGRY, required_nodes=(by_name,))

    assert ledger(RICH, POOR, seen=(bound,) * 32).fragments_on(dict(ONE.requests), "rich") is None


def test_room_held_and_pods_that_came_change_the_values() -> None:
    nodes = ledger(RICH, POOR)
    before = nodes.fragments_on(dict(ONE.requests), "poor")
    nodes.hold("poor", {"cpu": 4000, GPU: 1}, [asking(cpu=4000)])
    held = nodes.fragments_on(dict(ONE.requests), "poor")

    assert before is not None
    assert held is not None
    # the poor node is of no use to hungry pods, so taking one of its GPUs makes one of them useful
    assert before.milli_gpus == held.milli_gpus == -1000
    nodes.update({"poor": None}, {})
    assert nodes.fragments_on(dict(ONE.requests), "poor") is None


def test_a_renewal_makes_shortlists_anew() -> None:
    nodes = ledger(RICH, POOR, seen=())
    for uid in ("a", "b", "c"):
        ranked(nodes, ONE, uid)
    for _ in range(32):
        nodes.fragments.see(HUNGRY)
    nodes.renew(stay=True)

    assert names(nodes, ONE) == ["poor", "rich"]


def test_what_was_asked_about_is_valued_in_pieces_after_a_renewal() -> None:
    nodes = ledger(RICH, POOR)
    ranked(nodes, ONE)
    ranked(nodes, WEB)
    for _ in range(32):
        nodes.fragments.see(ONE)
    nodes.renew(stay=True)

    # WEB was never weighed: there is no node in use that it could take
    assert len(list(nodes.fragments.prepare())) == 1
    assert list(nodes.fragments.prepare()) == []


# What follows goes by views, as answers do.


def view(nodes: NodeLedger, *infos: NodeInfo, slots: dict[PodSignature, dict[str, int]] | None = None) -> View:
    held = Reservations(Clock())
    slot_ledger = SlotLedger(held)
    slot_ledger.use(dataclasses.replace(EMPTY_PLAN, slots=slots or {}))
    return View(snapshot(*infos), slot_ledger, held, (), expected_cost, nodes=nodes)


def test_where_fragments_are_weighed_only_a_gang_keeps_to_the_plan() -> None:
    ganged = dataclasses.replace(ONE, gang=Gang("train", 2))
    slots = {of: {"rich": 1} for of in (ONE, WEB, ganged)}
    decided = {
        of.owner_key + str(of.gang): narrow(
            pod("new", of), ["rich", "poor"], view(ledger(RICH, POOR), RICH, POOR, slots=slots)
        )
        for of in (ONE, ganged)
    }

    assert [(d.chosen, d.outcome) for d in decided.values()] == [("poor", Outcome.GREEDY), ("rich", Outcome.PLANNED)]
    plain = info(node("plain"))
    on_plain = view(ledger(RICH, plain), RICH, plain, slots={WEB: {"plain": 1}})
    assert narrow(pod("new", WEB), ["rich", "plain"], on_plain).outcome is Outcome.PLANNED


def test_the_answer_says_what_becomes_of_the_gpus() -> None:
    seen = view(ledger(RICH, POOR), RICH, POOR)
    answer = narrow(pod("new", ONE), ["rich", "poor"], seen)
    decision = Decision(
        uid="new",
        namespace="shop",
        name="web-1",
        verb="filter",
        at_s=0,
        outcome=answer.outcome,
        node=answer.chosen,
        offered=2,
        kept=1,
        options=answer.options,
        plan_generation=0,
        plan_source="",
        plan_cost=0,
        plan_bound=0,
        plan_solve_ms=0,
    )
    chosen, other = answer.options

    assert "poor (1.0000 $/h, opened for it, 1.00 GPUs are of use again)" in why(decision, "")
    assert option_as_json(chosen)["gpus_made_unusable"] == -1.0
    # of two GPUs one is left, and CPU for one hungry pod: before, a hungry pod could use one of two
    assert other.fragments is not None
    assert other.fragments.milli_gpus == round(1000 * (0 - 2 * (1 - 0.5 ** (1 / 3))))
    assert expected_dollars(chosen) is None  # what is charged where nodes stay is more than money
    against = why_not(pod("new", ONE), "rich", chosen, seen)["why"]
    assert "-0.41 GPUs there would become unusable for the pods that come, against -1.00 on poor" in against


def test_where_nodes_go_fragments_are_money() -> None:
    used = [info(gpu_node(name, cpu=cpu), {ONE: 1}) for name, cpu in (("rich", 9000), ("poor", 5000))]
    seen = view(ledger(*used, seen=(asking("big", cpu=7000),) * 32, stay=False), *used)
    web = signature("web", cpu=2000)

    options = {o.node: o for o in narrow(pod("new", web), ["rich", "poor"], seen).options}

    # eight cores are left of the rich node, with the pod six: its one free GPU becomes unusable, half of all for three days
    assert expected_dollars(options["rich"]) == 1.0 * 72 / 2
    assert expected_dollars(options["poor"]) == 0
    assert structs.asdict(options["poor"])["value"] == 0 > -OPENING


kinds = st.sampled_from([WEB, ONE, HUNGRY, asking("pair", gpus={GPU: 2}), asking("share", gpus={MEMORY: 5})])
plain_infos = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), min_size=2, max_size=12)


@given(plain_infos, st.lists(kinds, min_size=32, max_size=40), st.booleans())
def test_without_gpus_in_the_cluster_all_is_as_it_was(
    nodes: list[tuple[int, int, bool]], seen: list[PodSignature], stay: bool
) -> None:
    infos = [
        info(node(f"n{i}", price=price * 10_000), {WEB: pods} if pods else {})
        for i, (pods, price, _) in enumerate(nodes)
    ]
    offered = [f"n{i}" for i, (_, _, given_) in enumerate(nodes) if given_]
    aware, plain = ledger(*infos, seen=seen, stay=stay), ledger(*infos, seen=())

    assert narrow(pod("new", WEB), offered, view(aware, *infos)) == narrow(
        pod("new", WEB), offered, view(plain, *infos)
    )


gpu_infos = st.lists(
    st.tuples(st.sampled_from([0, 2, 4]), st.dictionaries(kinds, st.integers(1, 2), max_size=3), st.integers(1, 5)),
    min_size=1,
    max_size=8,
)


@given(gpu_infos, st.lists(kinds, min_size=32, max_size=40), kinds, st.booleans(), st.data())
def test_the_shortlist_says_what_the_walk_says(
    nodes: list[tuple[int, dict[PodSignature, int], int]],
    seen: list[PodSignature],
    of: PodSignature,
    stay: bool,
    data: st.DataObject,
) -> None:
    """From the second pod of a signature on a list is kept and repaired; a ledger made anew walks."""
    offers = {GPU: 1, MEMORY: 10}

    def built(number: int, gpus: int, residents: dict[PodSignature, int], price: int) -> NodeInfo:
        shows = {resource: of_one * gpus for resource, of_one in offers.items() if gpus} | (
            {COUNT: gpus} if gpus else {}
        )
        allocatable = {"cpu": 16_000, "memory": 64 * GIB, "pods": 110, **shows}
        plain = node(f"n{number}", price=price * 100_000)
        return info(dataclasses.replace(plain, allocatable=allocatable), residents)

    infos = [built(number, *of_node) for number, of_node in enumerate(nodes)]
    kept = ledger(*infos, seen=seen, stay=stay)
    for uid in ("first", "second"):
        ranked(kept, of, uid)
    changed = data.draw(st.integers(0, len(nodes) - 1))
    infos[changed] = built(
        changed, nodes[changed][0], data.draw(st.dictionaries(kinds, st.integers(1, 2), max_size=2)), 3
    )
    kept.update({f"n{changed}": infos[changed]}, {f"n{changed}": is_occupied(infos[changed])})

    assert ranked(kept, of) == ranked(ledger(*infos, seen=seen, stay=stay), of)
