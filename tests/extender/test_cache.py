"""The cache against sums from scratch, and its promises to the planner's mirror."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from extender.cache import Cache, Event
from extender.snapshot import Snapshot
from stowplan.model.node import Node
from stowplan.model.pod import Pod
from tests.support.extender import GIB, info, node, pod, signature

SIGNATURES = (
    signature("web"),
    signature("db", cpu=500, memory=0),
    signature("other", scheduler_name="default-scheduler"),
)
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
events = st.one_of(
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

    def feed(self, event: Event) -> None:
        """Do what the event says."""
        method, (argument,) = event
        items: Any = argument
        match method:
            case "upsert_pod":
                self.pods[items.uid] = items
            case "replace_pods":
                self.pods = {p.uid: p for p in items}
            case "delete_pod":
                self.pods.pop(items, None)
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
        return Snapshot(generation, infos, pending, self.namespaces)


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


@pytest.mark.parametrize("change", [{"gated": True}, {"deleting": True}])
def test_a_pod_that_is_not_to_be_planned_is_not_pending(change: dict[str, Any]) -> None:
    cache = Cache()

    cache.upsert_pod(pod("u1", **change))

    assert cache.snapshot().pending == {}
    assert cache.pod("u1") is not None
