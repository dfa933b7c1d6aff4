"""Latency on the request path: terms in numbers, what they decide, what they may not decide, and how they are explained."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import structs

from extender.answering.explain import explain_decision, why
from extender.binpacking.planning import make_plan
from extender.cluster.node_load import NodeLoad
from extender.cluster.snapshot import NodeInfo
from extender.deciding.candidates import View, fill_order, greedy
from extender.deciding.latency import latency_terms, sensitivity
from extender.deciding.narrowing import narrow
from extender.deciding.outcomes import Outcome
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.guidance import NO_GUIDANCE, Guidance, ReplicaRoom
from extender.plan import EMPTY_PLAN, Plan
from extender.scoring import strategy_named
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import ReplicaLimit
from tests.extender.answering.test_explain import decision
from tests.support.extender import Clock, info, node, pod, signature, snapshot

MB = 10**6
OLD = signature("old", cpu=400)
WEB = signature("web", cpu=1000, workload_class="standard", images=("app",), talks_to=(("shop", "db"),))


def view(*infos: NodeInfo, guidance: Guidance = NO_GUIDANCE, loads: dict[str, NodeLoad] | None = None) -> View:
    held = Reservations(Clock())
    ledger = SlotLedger(held)
    ledger.use(Plan(generation=0, guidance=guidance) if guidance is not NO_GUIDANCE else EMPTY_PLAN)
    seen = dataclasses.replace(snapshot(*infos), loads=loads or {})
    strategy = strategy_named("price-weighted-best-fit")
    return View(seen, ledger, held, fill_order(seen), strategy, BUILTIN_CLASSES)


def test_terms_in_numbers() -> None:
    guidance = Guidance(zone_shares={("shop", "db"): {"z1": 750, "z2": 250}}, image_sizes={"app": 500 * MB})
    seen = snapshot(info(node("n")))
    seen = dataclasses.replace(seen, loads={"n": NodeLoad(700, 2000)})
    of = sensitivity(WEB, BUILTIN_CLASSES, guidance)
    terms = latency_terms(of, dict(WEB.requests), {"cpu": 2000}, node("n", zone="z2"), seen)
    # 700 permille and 1000 of 4000 are 950: (950 - 650) + 2 x (950 - 825); 500 MB are 500; 75 % of the callees are elsewhere
    assert terms == (("load", 550), ("images", 500), ("hops", 225))
    assert of.weight_percent == 54  # latency 30 against pack 35 and cost 20
    there = latency_terms(of, {"cpu": 0}, {}, node("m", zone="z1", images=(("app", 500 * MB),)), seen)
    assert there == (("hops", 75),)


@pytest.mark.parametrize("name", ["batch", "dev", "", "unheard-of"])
def test_a_class_without_latency_feels_nothing(name: str) -> None:
    asking = dataclasses.replace(WEB, workload_class=name)
    of = sensitivity(asking, BUILTIN_CLASSES, NO_GUIDANCE)
    assert latency_terms(of, {"cpu": 9000}, {}, node("n"), snapshot(info(node("n")))) == ()


def test_a_measured_load_decides_among_nodes_in_use() -> None:
    asking = dataclasses.replace(WEB, talks_to=(), images=())
    nodes = (info(node("busy"), {OLD: 2}), info(node("calm"), {OLD: 1}), info(node("empty")))
    assert greedy(pod(sig=asking), ["busy", "calm", "empty"], view(*nodes), 16)[0].node == "busy"
    loaded = view(*nodes, loads={"busy": NodeLoad(900, 800)})
    best, *_, last = greedy(pod(sig=asking), ["busy", "calm", "empty"], loaded, 16)
    assert (best.node, last.node) == ("calm", "empty")
    everywhere = view(*nodes, loads={"busy": NodeLoad(1200, 800), "calm": NodeLoad(1200, 400)})
    assert greedy(pod(sig=asking), ["busy", "calm", "empty"], everywhere, 16)[0].node == "busy"  # none is opened for it


def test_limits_of_replicas_hold_without_a_slot_and_never_strand_a_pod() -> None:
    limited = signature("web", cpu=100, per_node=ReplicaLimit(count=1))
    here = info(node("a"), {limited: 1})
    spot = info(node("b", capacity_type="spot", instance_type="m5.large", zone="z1"), {OLD: 1})
    room = ReplicaRoom(1, frozenset({"m5.large/z1"}))
    guidance = Guidance(rooms={("shop", "web"): room})
    seen = view(here, spot, info(node("c"), {OLD: 1}), guidance=guidance)
    assert narrow(pod(sig=limited), ["a", "b", "c"], seen).names == ["c"]
    stuck = narrow(pod(sig=limited), ["a", "b"], seen)
    assert (stuck.names, stuck.outcome) == (["a", "b"], Outcome.NO_FIT)
    assert narrow(pod(sig=OLD), ["a", "b"], seen).outcome is Outcome.GREEDY  # of no interest to others


def test_the_plan_says_where_room_is_left_and_where_callees_stand() -> None:
    web = signature("web", cpu=100, per_node=ReplicaLimit(count=2), per_spot_pool=ReplicaLimit(count=1))
    caller = signature("front", cpu=100, talks_to=(("shop", "web"),), images=("app",))
    labels = {"topology.kubernetes.io/zone": "z1"}
    spot = node("s", capacity_type="spot", instance_type="m5.large", zone="z1", labels=labels, price=1)
    plain = node("p", images=(("app", 200 * MB),))
    seen = dataclasses.replace(snapshot(info(spot), info(plain)), pending={web: 3, caller: 1})
    guidance = make_plan(seen, None, BUILTIN_CLASSES, time_limit_s=0).guidance
    assert guidance.rooms == {("shop", "web"): ReplicaRoom(2, frozenset({"m5.large/z1"}))}
    assert guidance.zone_shares == {("shop", "web"): {"z1": 1000}}  # the one on a node with a zone
    assert guidance.image_sizes == {"app": 200 * MB}


def test_explanations_name_the_terms() -> None:
    plain = decision()
    felt = structs.replace(plain.options[0], latency=(("load", 550), ("hops", 75)))
    told = structs.replace(plain, options=(felt, *plain.options[1:]))
    assert "(0.1920 $/h, already in use, latency load 550 hops 75) by plan 7" in why(told, "n1")
    assert explain_decision(told, "n1")["options"][0]["latency"] == {"load": 550, "hops": 75}
