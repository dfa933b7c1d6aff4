"""Events on their way: what reaches cache, reservations, slots and the planner."""

from __future__ import annotations

from typing import Any

from extender.cluster.cache import Cache
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.feeding.feed import NamespaceFeed, NodeFeed, OwnerFeed, PodFeed, give_up_overdue
from extender.gating.held import HeldPods
from extender.plan import Plan
from stowplan.kube.codec import ObjectKey
from stowplan.kube.projection import Namespace, PodOwner
from tests.support.extender import Clock, node, pod, signature

WEB = signature("web")


class Fed:
    """A pod feed and all that hangs on it, with three slots for `WEB` on n1."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.held = Reservations(Clock())
        self.ledger = SlotLedger(self.held)
        self.ledger.use(Plan(generation=0, slots={WEB: {"n1": 3}}))
        self.sent: list[tuple[Any, ...]] = []
        self.behind_gates = HeldPods()
        self.pods = PodFeed(self.cache, self.held, self.ledger, self.forward, held=self.behind_gates)

    def forward(self, *message: Any) -> None:
        """Note what the planner would get."""
        self.sent.append(message)

    @property
    def left(self) -> int:
        """Slots left."""
        return self.ledger.left(WEB, "n1")


def test_a_binding_confirms_the_reservation_and_uses_the_slot() -> None:
    fed = Fed()
    fed.pods.upsert(pod("u1", WEB))
    fed.held.take("u1", WEB, "n1")

    fed.pods.upsert(pod("u1", WEB, "n1"))

    assert (len(fed.held), fed.left) == (0, 2)


def test_a_signature_that_changes_at_binding_still_uses_the_slot_it_was_planned_for() -> None:
    fed = Fed()
    fed.pods.replace([pod("u1", WEB), pod("u2", WEB)])
    changed = signature("web", labels=(("app", "web"), ("added", "at-binding")))

    fed.pods.upsert(pod("u1", changed, "n1"))
    fed.pods.replace([pod("u1", changed, "n1"), pod("u2", changed, "n1")])

    assert fed.left == 1


def test_a_binding_elsewhere_gives_the_slot_back() -> None:
    fed = Fed()
    fed.pods.upsert(pod("u1", WEB))
    fed.held.take("u1", WEB, "n1")

    fed.pods.upsert(pod("u1", WEB, "n2"))

    assert (len(fed.held), fed.left) == (0, 3)


def test_later_events_of_a_bound_pod_use_no_further_slot() -> None:
    fed = Fed()
    fed.pods.upsert(pod("u1", WEB, "n1"))
    fed.pods.upsert(pod("u1", WEB, "n1", deleting=True))

    assert fed.left == 2


def test_a_deleted_pod_gives_its_reservation_back() -> None:
    fed = Fed()
    fed.held.take("u1", WEB, "n1")

    fed.pods.delete(ObjectKey("shop", "pod-u1", "u1"))

    assert (len(fed.held), fed.left) == (0, 3)


def test_pods_of_the_first_list_were_bound_before_any_plan() -> None:
    fed = Fed()

    fed.pods.replace([pod("u1", WEB, "n1")])

    assert fed.left == 3


def test_a_relist_shows_bindings_that_were_missed() -> None:
    fed = Fed()
    fed.pods.replace([pod("u1", WEB), pod("u2", WEB, "n1")])
    fed.held.take("u1", WEB, "n1")

    fed.pods.replace([pod("u1", WEB, "n1"), pod("u2", WEB, "n1")])

    assert (len(fed.held), fed.left) == (0, 2)


def test_a_relist_ends_what_it_does_not_show_and_tells_the_planner_what_is_new() -> None:
    fed = Fed()
    fed.pods.replace([pod("u1", WEB), pod("u2", WEB, "n1", held=True), pod("u3", WEB)])
    fed.held.take("u2", WEB, "n1")
    (first, generation) = fed.sent
    assert (first[0], sorted(p.uid for p in first[1])) == ("replace_pods", ["u1", "u2", "u3"])
    assert generation == ("advance_to", 3)
    fed.sent.clear()

    fed.pods.replace([pod("u1", WEB), pod("u3", WEB, "n1")])

    assert fed.sent == [("upsert_pod", pod("u3", WEB, "n1")), ("delete_pod", "u2")]
    assert (len(fed.held), list(fed.behind_gates.pods)) == (0, [])


def test_a_list_that_breaks_off_ends_nobody() -> None:
    fed = Fed()
    fed.pods.replace([pod("u1", WEB), pod("u2", WEB)])

    fed.pods.begin_list()
    fed.pods.add_listed(pod("u1", WEB, "n1"))
    assert sorted(p.uid for p in fed.cache.pods()) == ["u1", "u2"]
    fed.pods.replace([pod("u2", WEB)])  # anew: now u1 is gone

    assert [p.uid for p in fed.cache.pods()] == ["u2"]


def test_the_planner_hears_of_changes_only() -> None:
    fed = Fed()
    fed.pods.upsert(pod("u1", WEB))
    fed.pods.upsert(pod("u1", WEB))

    assert fed.sent == [("upsert_pod", pod("u1", WEB))]


def test_the_planner_hears_of_wishes_not_of_the_status_of_owners() -> None:
    fed = Fed()
    owners = OwnerFeed("ReplicaSet", fed.cache, fed.forward)
    wish = PodOwner("shop", "ReplicaSet", "web", 3)

    owners.replace([wish])
    owners.replace([wish])
    owners.upsert(wish)
    owners.delete(ObjectKey("shop", "web", "o1"))
    owners.delete(ObjectKey("shop", "web", "o1"))

    assert fed.sent == [("replace_owners", [wish], "ReplicaSet"), ("delete_owner", "shop", "ReplicaSet/web")]


def test_what_is_forwarded_keeps_a_mirror_in_step() -> None:
    # The mirror gets nothing but the messages and must come to the same state and generation.
    clock = Clock()
    cache, mirror = Cache(clock=clock), Cache()

    def forward(method: str, *arguments: Any) -> None:
        getattr(mirror, method)(*arguments)

    held = Reservations(Clock())
    nodes, namespaces = NodeFeed(cache, forward), NamespaceFeed(cache, forward)
    pods = PodFeed(cache, held, SlotLedger(held), forward)
    owners = OwnerFeed("ReplicaSet", cache, forward)

    nodes.replace([node("n1"), node("n2")])
    nodes.replace([node("n1"), node("n2")])  # a relist without a change
    nodes.upsert(node("n1", unschedulable=True))
    nodes.delete(ObjectKey("", "n2", ""))
    nodes.delete(ObjectKey("", "n2", ""))
    namespaces.replace([Namespace("shop", {"a": "b"})])
    namespaces.upsert(Namespace("bank", {}))
    namespaces.delete(ObjectKey("", "shop", ""))
    owners.replace([PodOwner("shop", "ReplicaSet", "web", 4)])  # before its pods: it changes nothing yet
    pods.replace([pod("u1", WEB), pod("u2", WEB, "n1")])
    pods.upsert(pod("u1", WEB, "n1"))
    pods.delete(ObjectKey("shop", "pod-u2", "u2"))
    assert cache.snapshot().expected == {WEB: 3}
    clock.now += 30
    give_up_overdue(cache, forward)
    assert cache.snapshot().expected == {}
    assert mirror.snapshot() == cache.snapshot()
    owners.upsert(PodOwner("shop", "ReplicaSet", "web", 6))
    owners.upsert(PodOwner("shop", "ReplicaSet", "gone", 6))
    owners.delete(ObjectKey("shop", "gone", "o2"))

    assert cache.snapshot().expected == {WEB: 5}
    assert mirror.snapshot() == cache.snapshot()
    assert cache.snapshot().nodes["n1"].used["pods"] == 1


def test_held_pods_are_known_until_their_gate_or_they_are_gone() -> None:
    fed = Fed()
    fed.pods.replace([pod("u1", WEB, held=True), pod("u2", WEB, held=True), pod("u3", WEB)])
    assert list(fed.behind_gates.pods) == ["u1", "u2"]
    fed.pods.upsert(pod("u1", WEB))
    fed.pods.delete(ObjectKey("shop", "pod-u2", "u2"))

    assert list(fed.behind_gates.pods) == []
    fed.pods.upsert(pod("u4", WEB, held=True))
    assert list(fed.behind_gates.pods) == ["u4"]
