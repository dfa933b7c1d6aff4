"""The channel at work, over a writer and a Lease that tests script."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from extender.cluster.cache import Cache
from extender.leadership import TRUST_SECONDS, Leadership
from extender.nomination.decision import PATIENCE_SECONDS
from extender.nomination.loop import Event, Nominator
from extender.nomination.writing import MANAGER, NominationWriter, parse_version
from extender.plan import Plan
from stowplan.kube.errors import Conflict, NotFound, Unreachable
from tests.support.extender import Clock, decider, info, node, pod, signature

WEB = signature("web")


class Api:
    """Stands in for the client: pods' nominations, a Lease, a version; failures by the name of the pod."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.holder: str | None = "here_1"
        self.minor = "36"
        self.failures: dict[str, Exception] = {}
        self.listed: list[dict[str, Any]] = []
        self.lists = 0

    async def get(self, path: str) -> Any:
        """The version, or the Lease."""
        if path == "/version":
            return {"major": "1", "minor": self.minor}
        if self.holder is None:
            raise NotFound(404, "NotFound", "no Lease")
        if self.holder == "down":
            raise Unreachable("down")
        return {"spec": {"holderIdentity": self.holder}}

    async def list(self, path: str, **params: Any) -> Any:
        """Pods with a nomination and no node."""
        assert (path, params) == ("/api/v1/pods", {"fieldSelector": "spec.nodeName=,status.nominatedNodeName!="})
        self.lists += 1
        return self.listed, "1"

    async def apply(self, path: str, body: Any, manager: str) -> None:
        """Set or take back."""
        assert manager == MANAGER
        name = body["metadata"]["name"]
        assert path == f"/api/v1/namespaces/shop/pods/{name}/status"
        if name in self.failures:
            raise self.failures[name]
        if "status" in body:
            self.values[name] = body["status"]["nominatedNodeName"]
        else:
            self.values.pop(name, None)


def fake() -> Any:
    """The stand-in, as whatever is asked for."""
    return Api()


class Desk:
    """A nominator over two nodes and a plan with one slot on each."""

    def __init__(self) -> None:
        self.api = fake()
        self.clock = Clock()
        self.counts: Counter[Event] = Counter()
        self.cache = Cache()
        for name in ("n1", "n2"):
            self.cache.upsert_node(node(name))
        plan = Plan(generation=100, slots={WEB: {"n1": 1, "n2": 1}})
        view = decider(info(node("n1")), info(node("n2")), cache=self.cache, plan=lambda: plan).view
        self.nominator = Nominator(
            self.cache,
            view,
            NominationWriter(self.api),
            Leadership(self.api, "here", self.clock),
            count=lambda event: self.counts.update([event]),
            clock=self.clock,
            per_second=100,
        )

    async def wait_and_look(self) -> None:
        """Two looks, between which every pod has waited long enough."""
        await self.nominator.tick()
        self.clock.now += PATIENCE_SECONDS
        await self.nominator.tick()


async def test_waiting_pods_get_one_slot_each() -> None:
    desk = Desk()
    for uid in ("a", "b", "c"):
        desk.cache.upsert_pod(pod(uid, WEB))

    await desk.wait_and_look()

    assert desk.api.values == {"pod-a": "n1", "pod-b": "n2"}  # two slots
    assert desk.counts == {Event.SET: 2}
    await desk.nominator.stop()
    assert desk.api.values == {}
    assert desk.counts == {Event.SET: 2, Event.CLEARED: 2}


async def test_another_value_is_left_and_not_counted_as_ours() -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("a", WEB))
    desk.api.failures["pod-a"] = Conflict(409, "Conflict", "kube-scheduler owns it")

    await desk.wait_and_look()

    assert desk.counts == {Event.REFUSED: 1}
    assert desk.nominator.nominations.own == []


async def test_a_write_without_an_answer_counts_as_ours_until_it_is_taken_back() -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("a", WEB))
    desk.api.failures["pod-a"] = Unreachable("cut off")
    await desk.wait_and_look()
    assert desk.counts == {Event.FAILED: 1}

    desk.api.failures.clear()
    desk.api.values["pod-a"] = "n1"  # it had been carried out
    await desk.nominator.stop()

    assert desk.api.values == {}


async def test_a_replica_whose_scheduler_does_not_lead_writes_nothing() -> None:
    desk = Desk()
    desk.api.holder = "elsewhere_1"
    desk.cache.upsert_pod(pod("a", WEB))

    await desk.wait_and_look()

    assert desk.api.values == {}


async def test_when_the_leader_changes_all_is_taken_back() -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("a", WEB))
    await desk.wait_and_look()
    desk.api.holder = "elsewhere_1"
    desk.clock.now += 2

    await desk.nominator.tick()

    assert desk.api.values == {}


async def test_a_new_leader_takes_over_what_it_finds() -> None:
    desk = Desk()
    desk.cache.upsert_pod(pod("a", WEB, nominated_node="gone"))
    ours = {"metadata": {"uid": "a", "namespace": "shop", "name": "pod-a", "managedFields": [{"manager": MANAGER}]}}
    theirs = {
        "metadata": {"uid": "b", "namespace": "shop", "name": "pod-b", "managedFields": [{"manager": "karpenter"}]}
    }
    desk.api.listed = [{**item, "status": {"nominatedNodeName": "gone"}} for item in (ours, theirs)]
    desk.api.values = {"pod-a": "gone", "pod-b": "gone"}

    await desk.nominator.tick()

    assert desk.api.values == {"pod-b": "gone"}


async def test_before_1_35_nothing_is_nominated() -> None:
    desk = Desk()
    desk.api.minor = "34+"
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    desk.nominator._sleep = sleep
    desk.cache.upsert_pod(pod("a", WEB))
    await desk.wait_and_look()

    assert desk.api.values == {}
    assert naps == [60.0, 60.0]


@pytest.mark.parametrize(
    ("version", "parsed"),
    [
        ({"major": "1", "minor": "36"}, (1, 36)),
        ({"major": "1", "minor": "35+"}, (1, 35)),
        ({"major": "", "minor": ""}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_versions(version: dict[str, str], parsed: tuple[int, int]) -> None:
    assert parse_version(version) == parsed


async def test_a_lease_leads_by_hostname_and_only_while_it_can_be_read() -> None:
    api = fake()
    clock = Clock()
    leadership = Leadership(api, "here", clock)
    assert not leadership.leads

    seen = []
    for holder, seconds in (("here_1", 0.0), ("down", 0.0), ("down", TRUST_SECONDS + 1), (None, 0.0), ("other_1", 0.0)):
        api.holder = holder
        await leadership.refresh()
        clock.now += seconds
        seen.append(leadership.leads)

    # Without a Lease the scheduler runs without election, and is the only one.
    assert seen == [True, True, False, True, False]


async def test_a_write_of_an_earlier_process_that_came_late_is_found_and_taken_back() -> None:
    desk = Desk()
    await desk.nominator.tick()  # leads now, and has found nothing
    metadata = {"uid": "a", "namespace": "shop", "name": "pod-a", "managedFields": [{"manager": MANAGER}]}
    late = {"metadata": metadata, "status": {"nominatedNodeName": "n9"}}
    desk.api.listed = [late]
    desk.api.values = {"pod-a": "n9"}
    desk.cache.upsert_pod(pod("a", WEB, nominated_node="n9"))
    desk.clock.now += 31

    await desk.nominator.tick()

    assert desk.api.values == {}  # the plan knows no n9
    assert desk.counts == {Event.CLEARED: 1}


async def test_another_value_is_looked_up_now_and_then_and_left() -> None:
    desk = Desk()
    await desk.nominator.tick()
    desk.cache.upsert_pod(pod("a", WEB, nominated_node="n9"))
    desk.api.values = {"pod-a": "n9"}
    for _ in range(4):
        desk.clock.now += 20
        await desk.nominator.tick()

    assert desk.api.values == {"pod-a": "n9"}
    assert desk.api.lists == 3  # when it came to lead, and then every 30 s at most
