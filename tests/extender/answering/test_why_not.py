"""Why a pod is not on some other node, in asked, used and available, or in money."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from extender.answering.why_not import expected_dollars, option_as_json, why_not
from extender.cluster.snapshot import NodeInfo
from extender.deciding.candidates import Option, View, is_occupied
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.scoring import DEFAULT_STRATEGY, strategy_named
from extender.scoring.expected_cost import OPENING, STARVING
from stowplan.model.selectors import Taint
from tests.support.extender import Clock, info, node, pod, signature, snapshot

WEB = signature("web")
CHOSEN = Option(
    "full", planned=False, occupied=True, value=-192_000 * 45_000, price_micro_usd_per_hour=192_000, expected=True
)
NODES = (
    info(node("full"), {WEB: 2}),
    info(node("light"), {WEB: 1}),
    info(node("packed"), {WEB: 4}),
    info(node("empty")),
    info(node("cordoned", unschedulable=True)),
    info(node("tainted", taints=(Taint("gpu", "", "NoSchedule"),))),
)


def view(*infos: NodeInfo, **changes: Any) -> View:
    nodes = NodeLedger()
    nodes.update({i.node.name: i for i in infos}, {i.node.name: is_occupied(i) for i in infos})
    reservations = Reservations(Clock())
    plain = View(
        snapshot(*infos), SlotLedger(reservations), reservations, (), strategy_named(DEFAULT_STRATEGY), nodes=nodes
    )
    return structs.replace(plain, **changes)


def asked(name: str, chosen: Option | None = CHOSEN, **changes: Any) -> dict[str, Any]:
    return why_not(pod("new", WEB), name, chosen, view(*NODES, **changes))


def test_a_shortfall_in_asking_used_and_available() -> None:
    answer = asked("packed")

    assert answer["reason"] == "InsufficientResources"
    assert answer["resources"] == [{"resource": "cpu", "asking": "1", "used": "4", "available": "0"}]
    assert answer["why"] == "cpu: asks 1, 4 used of 4, 0 available"


def test_the_pods_own_place_is_not_in_its_way() -> None:
    standing = pod("u1", WEB, "packed")

    assert why_not(standing, "packed", None, view(*NODES))["why"] == "the pod stands on it"


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("nowhere", "NoSuchNode", "there is no node nowhere"),
        ("cordoned", "NotReady", "it is cordoned or not ready"),
        ("tainted", "UntoleratedTaint", "it has a taint that the pod does not tolerate"),
        ("full", "Fits", "it is the node that was chosen"),
        ("empty", "Fits", "the pod fits, but the node would have to be opened, and full is in use anyway"),
    ],
)
def test_reasons(name: str, reason: str, words: str) -> None:
    answer = asked(name)

    assert (answer["reason"], answer["why"], answer["resources"]) == (reason, words, [])


def test_a_node_that_would_cost_more_is_compared_in_money() -> None:
    # one core of four and 1 GiB of 16 used: with the pod 1/2 and 7/8 stay free, 25/32 of half an hour at 0.192 $/h: 0.075 $
    assert asked("light")["why"] == (
        "the pod fits, but is expected to add 0.0750 $ to the bill there (the node would be in use 0 s longer), against 0.0240 $ on full"
    )


def test_the_plan_and_the_drain_set_are_reasons() -> None:
    planned = structs.replace(CHOSEN, planned=True)

    assert asked("light", planned)["why"] == "the pod fits, but the plan holds its slot on full"
    assert "run empty" in asked("light", drain=frozenset({"light"}))["why"]
    assert "left the choice" in asked("light", None)["why"]


def test_expected_cost_is_money_only_where_it_is_one() -> None:
    # 45,000 hundredths of a second at 0.192 $/h
    assert expected_dollars(CHOSEN) == pytest.approx(0.192 * 450 / 3600)
    assert expected_dollars(structs.replace(CHOSEN, value=CHOSEN.value - STARVING)) == expected_dollars(CHOSEN)
    assert expected_dollars(structs.replace(CHOSEN, value=-OPENING)) is None
    assert expected_dollars(structs.replace(CHOSEN, expected=False)) is None
    assert option_as_json(structs.replace(CHOSEN, added_cs=150))["seconds_added"] == 1.5
