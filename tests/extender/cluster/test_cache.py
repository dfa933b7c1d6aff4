"""The cache against sums from scratch, and its promises to the planner's mirror."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from extender.cluster.cache import Cache, Event
from extender.cluster.owners import OwnerKey
from extender.cluster.snapshot import Snapshot
from stowplan.kube.projection import Deadline, PodOwner
from stowplan.model.node import Node
from stowplan.model.pod import Pod, PodSignature
from tests.support.extender import GIB, Clock, info, node, pod, signature

SIGNATURES = (
    signature("web"),
    signature("web", cpu=250),  # a replica that was sized later
    signature("db", cpu=500, memory=0),
    signature("other", scheduler_name="default-scheduler"),
    signature("bare", owner_key=""),
)
OWNER_NAMES = ("web", "db", "other")
NODE_NAMES = ("n1", "n2", "n3")

pods = st.builds(
    pod,
    uid=st.sampled_from(["u1", "u2", "u3", "u4"]),
    sig=st.sampled_from(SIGNATURES),
    node=st.sampled_from(["", *NODE_NAMES]),
    finished=st.booleans(),
    deleting=st.booleans(),
    gated=st.booleans(),
)
nodes = st.builds(node, st.sampled_from(NODE_NAMES), cpu=st.sampled_from([2000, 4000]), unschedulable=st.booleans())
namespaces = st.dictionaries(st.sampled_from(["shop", "bank"]), st.dictionaries(st.just("team"), st.sampled_from("ab")))
kinds = st.sampled_from(["ReplicaSet", "Job"])
deadlines = st.none() | st.builds(Deadline, st.just(1000), st.integers(1001, 1003))
owners = st.builds(PodOwner, st.just("shop"), kinds, st.sampled_from(OWNER_NAMES), st.integers(1, 5), deadlines)
owner_keys = st.tuples(st.just("shop"), st.builds("{}/{}".format, kinds, st.sampled_from(OWNER_NAMES)))


@st.composite
def owner_lists(draw: st.DrawFn) -> tuple[list[PodOwner], str]:
    kind = draw(kinds)
    of_kind = owners.map(lambda owner: dataclasses.replace(owner, kind=kind))
    return draw(st.lists(of_kind, max_size=3, unique_by=lambda owner: owner.name)), kind


owner_events = st.one_of(
    st.tuples(st.just("upsert_owner"), st.tuples(owners)),
    st.tuples(st.just("delete_owner"), owner_keys),
    st.tuples(st.just("replace_owners"), owner_lists()),
    st.tuples(st.just("give_up_owner"), owner_keys),
)
events = st.one_of(
    owner_events,
    st.tuples(st.just("upsert_pod"), st.tuples(pods)),
    st.tuples(st.just("delete_pod"), st.tuples(st.sampled_from(["u1", "u2", "u3", "u4"]))),
    st.tuples(st.just("replace_pods"), st.tuples(st.lists(pods, max_size=4, unique_by=lambda p: p.uid))),
    st.tuples(st.just("upsert_node"), st.tuples(nodes)),
    st.tuples(st.just("delete_node"), st.tuples(st.sampled_from(NODE_NAMES))),
    st.tuples(st.just("replace_nodes"), st.tuples(st.lists(nodes, max_size=3, unique_by=lambda n: n.name))),
    st.tuples(st.just("replace_namespaces"), st.tuples(namespaces)),
    st.tuples(st.just("delete_namespace"), st.tuples(st.sampled_from(["shop", "bank"]))),
)


class Truth:
    """The naive cache: keeps the objects and sums them up when asked."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        self.namespaces: dict[str, Any] = {}
        self.owners: dict[OwnerKey, int] = {}
        self.learned: dict[OwnerKey, PodSignature] = {}
        self.given_up: set[OwnerKey] = set()

    def feed(self, event: Event) -> None:
        """Do what the event says."""
        method, (argument, *more) = event
        items: Any = argument
        match method:
            case "upsert_pod":
                self.upsert_pod(items)
            case "replace_pods":
                self.drop_pods(self.pods.keys() - {p.uid for p in items})
                for p in items:
                    self.upsert_pod(p)
            case "delete_pod":
                self.drop_pods({items})
            case "upsert_node":
                self.nodes[items.name] = items
            case "replace_nodes":
                self.nodes = {n.name: n for n in items}
            case "delete_node":
                self.nodes.pop(items, None)
            case "replace_namespaces":
                self.namespaces = dict(items)
            case "delete_namespace":
                self.namespaces.pop(items, None)
            case _:
                self.feed_owners(method, items, *more)
        # What nobody waits for cannot be given up; who neither wants nor has pods is forgotten.
        waited_for = {(s.namespace, s.owner_key) for s in self.expected(even_given_up=True)}
        self.given_up &= waited_for
        self.learned = {k: s for k, s in self.learned.items() if k in self.owners or self.live(k)}

    def feed_owners(self, method: str, items: Any, *more: object) -> None:
        """Do what the event of an owner says."""
        match method:
            case "upsert_owner":
                self.want(items)
            case "delete_owner":
                self.owners.pop((items, str(more[0])), None)
            case "replace_owners":
                listed = {(o.namespace, f"{o.kind}/{o.name}") for o in items}
                self.owners = {k: n for k, n in self.owners.items() if k in listed or k[1].split("/")[0] != more[0]}
                for o in items:
                    self.want(o)
            case "give_up_owner":
                self.given_up.add((items, str(more[0])))

    def want(self, owner: PodOwner) -> None:
        """Wanting more than before renews the expectation."""
        key = (owner.namespace, f"{owner.kind}/{owner.name}")
        if owner.desired > self.owners.get(key, 0):
            self.given_up.discard(key)
        self.owners[key] = owner.desired

    def drop_pods(self, uids: Collection[str]) -> None:
        """They are gone."""
        self.pods = {uid: p for uid, p in self.pods.items() if uid not in uids}

    def upsert_pod(self, p: Pod) -> None:
        """A pod that is new or changes while it waits shows what the next one of its owner will be like."""
        old = self.pods.get(p.uid)
        if p.finished:
            self.drop_pods({p.uid})
            return
        self.pods[p.uid] = p
        key = (p.signature.namespace, p.signature.owner_key)
        if p.deleting or not key[1]:
            return
        changed = old is not None and not p.node_name and old.signature != p.signature
        if (old is None or changed) and p.signature.scheduler_name == "stowplan-scheduler":
            self.learned[key] = p.signature
        if old is None:
            self.given_up.discard(key)

    def live(self, key: OwnerKey) -> int:
        """Pods of the owner that it need not replace."""
        return sum((p.signature.namespace, p.signature.owner_key) == key and not p.deleting for p in self.pods.values())

    def expected(self, *, even_given_up: bool = False) -> dict[PodSignature, int]:
        """What each owner wants less what it has."""
        short = {key: desired - self.live(key) for key, desired in self.owners.items()}
        return {
            self.learned[key]: count
            for key, count in short.items()
            if count > 0 and key in self.learned and (even_given_up or key not in self.given_up)
        }

    def snapshot(self, generation: int) -> Snapshot:
        """Everything summed up anew."""
        residents: dict[str, dict[Any, int]] = {name: {} for name in self.nodes}
        pending: dict[Any, int] = {}
        for p in self.pods.values():
            if p.node_name in residents and not p.finished:
                residents[p.node_name][p.signature] = residents[p.node_name].get(p.signature, 0) + 1
            if p.pending and p.signature.scheduler_name == "stowplan-scheduler":
                pending[p.signature] = pending.get(p.signature, 0) + 1
        infos = {name: info(n, residents[name]) for name, n in self.nodes.items()}
        return Snapshot(generation, infos, pending, self.namespaces, self.expected())


def feed(cache: Cache, event: Event) -> None:
    method, arguments = event
    getattr(cache, method)(*arguments)


@given(st.lists(st.tuples(events, st.booleans()), max_size=25))
def test_any_order_of_events_gives_the_snapshot_summed_from_scratch(history: list[tuple[Event, bool]]) -> None:
    cache, truth = Cache(), Truth()

    for event, look in history:
        feed(cache, event)
        truth.feed(event)
        if look:  # snapshots in between must not change later ones
            assert cache.snapshot() == truth.snapshot(cache.generation)

    assert cache.snapshot() == truth.snapshot(cache.generation)


@given(st.lists(events, max_size=10), st.lists(events, max_size=10))
def test_snapshots_never_change_afterwards(before: list[Event], after: list[Event]) -> None:
    cache, truth = Cache(), Truth()
    for event in before:
        feed(cache, event)
        truth.feed(event)
    taken = cache.snapshot()
    expected = truth.snapshot(cache.generation)

    for event in after:
        feed(cache, event)
        cache.snapshot()

    assert taken == expected


@given(st.lists(events, max_size=10), st.lists(events, max_size=10), st.lists(events, max_size=10))
def test_a_resynced_mirror_has_the_state_and_keeps_the_generation(
    history: list[Event], mirror_history: list[Event], later: list[Event]
) -> None:
    cache, mirror = Cache(), Cache()
    for event in history:
        feed(cache, event)
    for event in mirror_history:
        feed(mirror, event)

    for event in cache.events():
        feed(mirror, event)
    for event in later:
        feed(cache, event)
        feed(mirror, event)

    assert mirror.snapshot() == cache.snapshot()
    assert mirror.generation == cache.generation
    for key in [("shop", f"{kind}/{name}") for kind in ("ReplicaSet", "Job") for name in OWNER_NAMES]:
        assert mirror.deadline(key) == cache.deadline(key)


@given(st.lists(owner_events, max_size=4), st.lists(events, max_size=12), owner_events)
def test_an_event_of_an_owner_moves_the_generation_exactly_where_it_changes_what_is_expected(
    owners_first: list[Event], history: list[Event], last: Event
) -> None:
    cache = Cache()
    for event in [*owners_first, *history]:
        feed(cache, event)
    before = cache.snapshot()

    feed(cache, last)

    assert (cache.generation != before.generation) == (cache.snapshot().expected != before.expected)


@given(st.lists(events, max_size=10), events)
def test_an_event_seen_twice_changes_nothing_the_second_time(history: list[Event], last: Event) -> None:
    cache = Cache()
    for event in [*history, last]:
        feed(cache, event)
    generation, snapshot = cache.generation, cache.snapshot()

    feed(cache, last)

    assert cache.generation == generation
    assert cache.snapshot() is snapshot


def test_a_pod_waits_is_bound_finishes_and_is_deleted() -> None:
    cache, web = Cache(), signature("web")
    cache.upsert_node(node("n1"))

    cache.upsert_pod(pod("u1", web))
    assert cache.snapshot().pending == {web: 1}

    cache.upsert_pod(pod("u1", web, node="n1"))
    assert cache.snapshot().pending == {}
    assert cache.snapshot().nodes["n1"].used == {"cpu": 1000, "memory": GIB, "pods": 1}

    cache.upsert_pod(pod("u1", web, node="n1", finished=True))
    assert cache.snapshot().nodes["n1"].used == {}

    cache.delete_pod("u1")
    assert list(cache.pods()) == []


def test_pods_known_before_their_node_count_once_it_comes() -> None:
    cache = Cache()

    cache.upsert_pod(pod("u1", node="n1"))
    assert "n1" not in cache.snapshot().nodes
    cache.upsert_node(node("n1"))

    assert cache.snapshot().nodes["n1"].residents == {signature(): 1}


def test_only_changed_nodes_are_rebuilt() -> None:
    cache = Cache()
    cache.replace_nodes([node("n1"), node("n2")])
    before = cache.snapshot()

    cache.upsert_pod(pod("u1", node="n2"))
    after = cache.snapshot()

    assert after.nodes["n1"] is before.nodes["n1"]
    assert after.nodes["n2"] is not before.nodes["n2"]


def test_a_pod_behind_our_gate_is_planned_for_and_its_release_changes_no_number() -> None:
    cache = Cache()

    cache.upsert_pod(pod("u1", held=True))
    before = cache.snapshot().pending
    cache.upsert_pod(pod("u1"))

    assert before == {signature(): 1}
    assert cache.snapshot().pending == before


def test_what_an_owner_wants_is_known_once_it_was_seen() -> None:
    cache = Cache()
    assert cache.wanted(("shop", "Job/batch")) == 0

    cache.upsert_owner(PodOwner("shop", "Job", "batch", 3))

    assert cache.wanted(("shop", "Job/batch")) == 3


def test_a_deadline_of_a_job_is_known_while_it_wants_pods_and_a_copy_knows_it_too() -> None:
    cache, key = Cache(), ("shop", "Job/batch")
    early, late = (PodOwner("shop", "Job", "batch", 3, Deadline(began, began + 60)) for began in (1000, 1005))

    assert cache.upsert_owner(early)
    assert not cache.upsert_owner(early)
    generation = cache.generation
    assert cache.upsert_owner(late)  # the start is written
    assert cache.generation == generation  # nothing that a plan reads
    assert cache.deadline(key) == Deadline(1005, 1065)

    copy = Cache()
    for method, arguments in cache.events():
        getattr(copy, method)(*arguments)
    assert copy.deadline(key) == Deadline(1005, 1065)
    assert not copy.replace_owners([late], "Job")
    assert copy.replace_owners([PodOwner("shop", "Job", "batch", 3)], "Job")
    assert copy.deadline(key) is None

    cache.delete_owner(*key)
    assert cache.deadline(key) is None


@pytest.mark.parametrize("change", [{"gated": True}, {"deleting": True}])
def test_a_pod_that_is_not_to_be_planned_is_not_pending(change: dict[str, Any]) -> None:
    cache = Cache()

    cache.upsert_pod(pod("u1", **change))

    assert cache.snapshot().pending == {}
    assert cache.pod("u1") is not None


def owner(desired: int, name: str = "web", kind: str = "ReplicaSet") -> PodOwner:
    return PodOwner("shop", kind, name, desired)


def test_pods_that_an_owner_still_has_to_create_are_expected_once_one_shows_what_they_are_like() -> None:
    cache, web = Cache(), signature("web")

    cache.upsert_owner(owner(6))
    assert cache.snapshot().expected == {}

    cache.upsert_pod(pod("u1", web))
    assert cache.snapshot().expected == {web: 5}

    cache.upsert_pod(pod("u2", web, node="n1"))
    assert cache.snapshot().expected == {web: 4}


def test_a_pod_that_is_being_deleted_or_has_finished_is_to_be_replaced() -> None:
    cache, web = Cache(), signature("web")
    cache.upsert_owner(owner(2))
    cache.replace_pods([pod("u1", web, "n1"), pod("u2", web, "n1")])
    assert cache.snapshot().expected == {}

    cache.upsert_pod(pod("u1", web, "n1", deleting=True))
    assert cache.snapshot().expected == {web: 1}

    cache.upsert_pod(pod("u2", web, "n1", finished=True))
    assert cache.snapshot().expected == {web: 2}


def test_what_changes_at_binding_is_not_expected_of_the_next_pod() -> None:
    cache, web = Cache(), signature("web")
    cache.upsert_owner(owner(2))
    cache.upsert_pod(pod("u1", web))

    cache.upsert_pod(pod("u1", signature("web", labels=(("added", "at-binding"),)), "n1"))

    assert cache.snapshot().expected == {web: 1}


def test_of_pods_listed_the_youngest_shows_what_the_next_one_is_like() -> None:
    cache, old, new = Cache(), signature("web", cpu=500), signature("web", cpu=250)
    cache.upsert_owner(owner(3))

    cache.replace_pods([pod("u1", new, "n1", created_s=200), pod("u2", old, "n1", created_s=100)])

    assert cache.snapshot().expected == {new: 1}


def test_what_the_youngest_pod_showed_is_known_after_a_resync_and_not_forgotten_with_it() -> None:
    cache, mirror, old, new = Cache(), Cache(), signature("web", cpu=500), signature("web", cpu=250)
    cache.upsert_owner(owner(3))
    cache.upsert_pod(pod("u2", new, "n1", created_s=200))
    cache.delete_pod("u2")
    cache.upsert_pod(pod("u1", old, "n1", created_s=100))  # as a list shows it, which is in the order of names
    for method, arguments in cache.events():
        getattr(mirror, method)(*arguments)
    for one in (cache, mirror):
        one.upsert_pod(pod("u3", old, "n1", created_s=150))

    assert cache.snapshot().expected == {new: 1}
    assert mirror.snapshot() == cache.snapshot()


@pytest.mark.parametrize("change", [{"scheduler_name": "default-scheduler"}, {"unplannable": "volume data"}])
def test_pods_that_are_not_planned_are_not_expected(change: dict[str, Any]) -> None:
    cache = Cache()
    cache.upsert_owner(owner(6))

    cache.upsert_pod(pod("u1", signature("web", **change)))

    assert cache.snapshot().expected == {}


def test_of_one_owner_a_bounded_number_of_pods_is_expected() -> None:
    cache, web = Cache(), signature("web")
    cache.upsert_owner(owner(5000))

    cache.upsert_pod(pod("u1", web))

    assert cache.snapshot().expected == {web: 200}


def test_a_list_of_one_kind_says_nothing_of_another() -> None:
    cache, web = Cache(), signature("web")
    job = signature("load", owner_key="Job/load")
    cache.replace_pods([pod("u1", web), pod("u2", job)])
    assert cache.replace_owners([owner(3)], "ReplicaSet")
    assert cache.replace_owners([owner(3, "load", "Job")], "Job")
    assert not cache.replace_owners([owner(3, "load", "Job")], "Job")

    assert cache.replace_owners([], "Job")

    assert cache.snapshot().expected == {web: 2}


class Waiting:
    """A cache in which `shop/ReplicaSet/web` has one pod of six, and a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cache = Cache(clock=self.clock)
        self.cache.upsert_owner(owner(6))
        self.cache.upsert_pod(pod("u1"))

    @property
    def expected(self) -> int:
        """Pods expected in all."""
        return sum(self.cache.snapshot().expected.values())

    def give_up(self) -> None:
        """Wait until the owner is overdue, and give it up."""
        self.clock.now += 30
        assert self.cache.overdue_owners() == [("shop", "ReplicaSet/web")]
        self.cache.give_up_owner("shop", "ReplicaSet/web")


def test_an_owner_is_overdue_half_a_minute_after_its_last_pod_appeared() -> None:
    waiting = Waiting()

    waiting.clock.now += 20
    waiting.cache.upsert_pod(pod("u2"))
    waiting.clock.now += 20
    waiting.cache.upsert_pod(pod("u1", node="n1"))  # being bound is no sign of a further pod
    waiting.clock.now += 9.9
    assert waiting.cache.overdue_owners() == []

    waiting.clock.now += 0.1
    assert waiting.cache.overdue_owners() == [("shop", "ReplicaSet/web")]


def test_an_owner_given_up_is_expected_nothing_of_until_a_pod_appears() -> None:
    waiting = Waiting()
    waiting.give_up()
    assert waiting.expected == 0
    assert waiting.cache.overdue_owners() == []

    waiting.cache.upsert_owner(owner(5))
    waiting.cache.upsert_pod(pod("u1", node="n1"))
    assert waiting.expected == 0

    waiting.cache.upsert_pod(pod("u2"))
    assert waiting.expected == 3  # five wanted, two there


def test_an_owner_given_up_is_believed_again_when_it_wants_more() -> None:
    waiting = Waiting()
    waiting.give_up()

    waiting.cache.upsert_owner(owner(8))

    assert waiting.expected == 7
    assert waiting.cache.overdue_owners() == []


def test_an_owner_that_wants_more_gets_as_long_again() -> None:
    waiting = Waiting()
    waiting.clock.now += 20

    waiting.cache.upsert_owner(owner(8))
    waiting.clock.now += 29
    assert waiting.cache.overdue_owners() == []

    waiting.cache.upsert_owner(owner(7))  # wanting less does not
    waiting.clock.now += 1
    assert waiting.cache.overdue_owners() == [("shop", "ReplicaSet/web")]


def test_an_owner_that_has_what_it_wants_starts_afresh() -> None:
    waiting = Waiting()
    waiting.give_up()
    waiting.cache.upsert_owner(owner(1))
    waiting.clock.now += 3600

    waiting.cache.upsert_pod(pod("u1", deleting=True))

    assert waiting.expected == 1
    assert waiting.cache.overdue_owners() == []


def test_owners_without_pods_and_wishes_are_forgotten() -> None:
    waiting = Waiting()

    waiting.cache.delete_owner("shop", "ReplicaSet/web")
    waiting.cache.delete_pod("u1")

    assert ("replace_templates", ([],)) in waiting.cache.events()
