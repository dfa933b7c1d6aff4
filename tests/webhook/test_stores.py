"""Stores: the whole, a change, a disappearance; and a Lease that is trusted only as far as it was watched."""

from fractions import Fraction

import msgspec
import pytest

from stowplan.kube.codec import ObjectKey
from stowplan.model.workload import WorkloadKey
from tests.support.pods import GIB
from webhook.limit_range import parse_limit_range
from webhook.projections import project_lease, project_node, project_owner, project_with
from webhook.state import OwnerKey
from webhook.stores import (
    Entry,
    LeaseRecord,
    Named,
    NodeFacts,
    Nodes,
    PerNamespace,
    PerTarget,
    RenewedLease,
    Replicas,
    Targeted,
)


def _key(name: str, namespace: str = "") -> ObjectKey:
    return ObjectKey(namespace, name, "uid")


def test_named_follows_the_collection() -> None:
    store = Named[int]()

    store.replace([Entry("", "a", 1), Entry("", "b", 2)])
    store.upsert(Entry("", "b", 3))
    store.delete(_key("a"))
    store.delete(_key("never-seen"))

    assert store.values == {"b": 3}


def test_objects_of_a_namespace_are_combined_in_the_order_of_their_names() -> None:
    store = PerNamespace[int, tuple[int, ...]](lambda values: values)

    store.replace([Entry("shop", "b", 2), Entry("shop", "a", 1), Entry("other", "x", 9)])
    assert store.values == {"shop": (1, 2), "other": (9,)}

    store.upsert(Entry("shop", "c", 3))
    store.delete(_key("x", "other"))
    store.delete(_key("gone", "nowhere"))
    assert store.values == {"shop": (1, 2, 3)}

    store.replace([])
    assert store.values == {}


def test_kinds_of_owners_share_a_dictionary_without_treading_on_each_other() -> None:
    counts: dict[OwnerKey, int] = {}
    sets, jobs = Replicas("ReplicaSet", counts), Replicas("Job", counts)

    sets.replace([Entry("shop", "web", 3), Entry("shop", "old", 1)])
    jobs.upsert(Entry("shop", "web", 5))
    sets.replace([Entry("shop", "web", 4)])
    assert counts == {("shop", "ReplicaSet", "web"): 4, ("shop", "Job", "web"): 5}

    jobs.delete(_key("web", "shop"))
    assert counts == {("shop", "ReplicaSet", "web"): 4}


def test_objects_about_a_workload_follow_their_target() -> None:
    store = PerTarget[int, tuple[int, ...]](lambda values: values)
    web, api = WorkloadKey("shop", "Deployment", "web"), WorkloadKey("shop", "Deployment", "api")

    store.replace([Targeted("shop", "b", web, 2), Targeted("shop", "a", web, 1)])
    assert store.values == {web: (1, 2)}
    store.upsert(Targeted("shop", "a", api, 3))
    assert store.values == {web: (2,), api: (3,)}
    store.upsert(Targeted("shop", "b", web, 4))
    assert store.values == {web: (4,), api: (3,)}
    store.delete(_key("b", "shop"))
    store.delete(_key("unknown", "shop"))
    assert store.values == {api: (3,)}
    store.replace([])
    assert store.values == {}


def _node(zone: str, cpu: int = 4000, memory: int = 16 * GIB) -> NodeFacts:
    return NodeFacts(zone, (cpu, memory))


def test_zones_are_counted_once_and_the_largest_nodes_known() -> None:
    nodes = Nodes()

    nodes.replace([Entry("", "n1", _node("a")), Entry("", "n2", _node("b")), Entry("", "n3", _node("a"))])
    assert (nodes.zones, nodes.shapes) == (2, ((4000, 16 * GIB),))
    nodes.upsert(Entry("", "n4", _node("c", 8000)))
    assert (nodes.zones, nodes.shapes) == (3, ((8000, 16 * GIB),))
    nodes.upsert(Entry("", "n5", _node("", 2000, 64 * GIB)))
    assert (nodes.zones, nodes.shapes) == (3, ((8000, 16 * GIB), (2000, 64 * GIB)))
    nodes.upsert(Entry("", "n4", _node("c", 2000)))
    assert nodes.shapes == ((4000, 16 * GIB), (2000, 64 * GIB))
    nodes.delete(_key("n5"))
    nodes.delete(_key("n2"))
    nodes.delete(_key("unknown"))
    assert nodes.zones == 2
    assert set(nodes.shapes) == {(4000, 16 * GIB)}


def _lease(renewed: str, holder: str = "scheduler") -> Entry[LeaseRecord]:
    return Entry("stowplan-system", "stowplan-scheduler", LeaseRecord(holder, renewed, 15.0))


def test_a_lease_counts_from_the_first_renewal_we_saw_and_for_its_duration() -> None:
    now = [100.0]
    lease = RenewedLease(lambda: now[0])

    def alive_after(seconds: float, *events: str) -> bool:
        now[0] += seconds
        for renewed in events:
            lease.upsert(_lease(renewed))
        return lease.alive

    lease.replace([_lease("10:00:00")])
    assert not alive_after(0)  # perhaps the last word of a scheduler long dead
    assert alive_after(0, "10:00:02")
    assert alive_after(14.9)
    assert not alive_after(0.2, "10:00:02")  # an event without a renewal
    assert alive_after(0, "09:00:00")  # a holder whose clock is behind: any change is a renewal


@pytest.mark.parametrize("end", ["released", "deleted", "gone from the list"])
def test_a_lease_given_up_is_dead_at_once(end: str) -> None:
    lease = RenewedLease(lambda: 0.0)
    lease.upsert(_lease("1"))
    lease.upsert(_lease("2"))
    assert lease.alive

    if end == "released":
        lease.upsert(_lease("3", holder=""))
    elif end == "deleted":
        lease.delete(_key("stowplan-scheduler", "stowplan-system"))
    else:
        lease.replace([])

    assert not lease.alive


@pytest.mark.parametrize(
    ("spec", "annotations", "count"),
    [
        ({"replicas": 3}, {}, 3),
        ({}, {}, 1),  # the API's default
        ({"replicas": 1}, {"deployment.kubernetes.io/desired-replicas": "10"}, 10),  # in the middle of a rollout
        ({"replicas": 4}, {"deployment.kubernetes.io/desired-replicas": "many"}, 4),
        ({"parallelism": 8, "completions": 5}, {}, 5),
        ({"parallelism": 8}, {}, 8),
    ],
)
def test_how_many_pods_an_owner_wants(spec: dict[str, int], annotations: dict[str, str], count: int) -> None:
    raw = msgspec.json.encode(
        {"metadata": {"name": "web", "namespace": "shop", "annotations": annotations}, "spec": spec, "status": {"x": 1}}
    )

    assert project_owner(msgspec.Raw(raw)) == Entry("shop", "web", count)


def test_other_projections() -> None:
    labels = {"topology.kubernetes.io/zone": "a"}
    allocatable = {"cpu": "3920m", "memory": "15800000Ki"}  # 15429.7Mi: 241 whole steps of 64Mi
    node = {"metadata": {"name": "n1", "labels": labels}, "status": {"allocatable": allocatable}}
    assert project_node(msgspec.json.encode(node)) == Entry("", "n1", NodeFacts("a", (3920, 241 * 64 * 2**20)))
    assert project_node(b'{"metadata":{"name":"n1"}}') == Entry("", "n1", NodeFacts("", (0, 0)))

    lease = b'{"metadata":{"name":"l","namespace":"s"},"spec":{"holderIdentity":"h","renewTime":"t","leaseDurationSeconds":30}}'
    assert project_lease(msgspec.Raw(lease)) == Entry("s", "l", LeaseRecord("h", "t", 30.0))

    ranged = b'{"metadata":{"name":"r","namespace":"s"},"spec":{"limits":[{"type":"Pod","maxLimitRequestRatio":{"cpu":"1.5"}}]}}'
    found = project_with(parse_limit_range)(msgspec.Raw(ranged))
    assert (found.namespace, found.name) == ("s", "r")
    assert found.value.items[0].ratio == {"cpu": Fraction(3, 2)}
