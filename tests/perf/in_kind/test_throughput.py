"""Backlogs and bursts in kind: what is measured on which size, and when the scheduler begins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from perf.in_kind import throughput
from perf.in_kind.scheduler_pod import SchedulerPod
from perf.in_kind.throughput import Plan, measure
from perf.throughput.arms import ARMS, Arm, Load
from perf.throughput.burst import Burst, Moments, Used
from sandbox.errors import SandboxError
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Unreachable

NARROW = [ARMS["stock"], ARMS["narrow"]]
PLAN: Plan = {
    10: (Load(15, 2, NARROW), Load(5, 2, [ARMS["stock"], ARMS["gates"]], backlog=False)),
    20: (Load(15, 1, NARROW),),
}


class Cluster:
    """Answers what is asked of kubectl, and remembers it."""

    def __init__(self, *holders: str) -> None:
        self.kubeconfig = Path("kubeconfig")
        self.called: list[str] = []
        self._holders = iter(holders)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """A Deployment, or a Lease that the next of the holders holds."""
        del text
        self.called.append(" ".join(arguments))
        spec = {"holderIdentity": next(self._holders)} if "lease" in arguments else {}
        return json.dumps({"spec": spec})


@pytest.fixture(autouse=True)
def _nothing_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        pass

    @contextlib.asynccontextmanager
    async def client(_: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(throughput, "keep_apart", lambda _: None)
    for name in ("add_nodes", "create_pods", "remove_pods"):
        monkeypatch.setattr(throughput, name, nothing)
    monkeypatch.setattr(throughput, "ApiClient", client)
    monkeypatch.setattr(Connection, "from_kubeconfig", lambda _: None)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, int, bool]]:
    """Arm, whether on a backlog, number of pods and whether they are gated, of each burst."""
    found: list[tuple[str, bool, int, bool]] = []

    async def burst(_: object, __: object, arm: Arm, manifests: Sequence[Any], *, backlog: bool) -> Burst:
        found.append((arm.name, backlog, len(manifests), "schedulingGates" in manifests[0]["spec"]))
        return Burst(Moments(), Used({}, {}))

    monkeypatch.setattr(throughput, "_seen", burst)
    return found


def test_every_arm_has_its_load_on_every_size_and_each_round_is_given_at_once(
    seen: list[tuple[str, bool, int, bool]],
) -> None:
    cluster, told = Cluster(), list[tuple[str, int, int]]()
    found = list(measure(cluster, PLAN, lambda *what: told.append(what)))  # type: ignore[arg-type]  # what is asked of it

    shapes = [(one.nodes, one.pods, one.backlog, len(one.rows)) for one in found]
    # What is given after a second round has the first one in it.
    assert shapes == [(10, 15, True, 2), (10, 15, True, 4), (10, 5, False, 2), (10, 5, False, 4), (20, 15, True, 2)]
    assert [(row.arm, row.round) for row in found[1].rows].count(("narrow", 0)) == 1
    assert {entry for entry in seen if entry[1]} == {("stock", True, 15, False), ("narrow", True, 15, False)}
    assert {entry for entry in seen if not entry[1]} == {("stock", False, 5, False), ("gates", False, 5, True)}
    assert told[-1][1:] == (9, 10)  # two rounds of two arms by two loads, and one round of two


def test_a_burst_that_the_cluster_broke_off_is_placed_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[object] = []
    told: list[str] = []
    breaks = iter([Unreachable("GET /pods: Server disconnected")])

    async def broken(*_: object, **__: object) -> Burst:
        for error in breaks:
            raise error
        return Burst(Moments(), Used({}, {}))

    async def remove(api: object) -> None:
        removed.append(api)

    monkeypatch.setattr(throughput, "_seen", broken)
    monkeypatch.setattr(throughput, "remove_pods", remove)
    plan: Plan = {10: (Load(5, 1, NARROW),)}
    (found,) = measure(Cluster(), plan, lambda sentence, *_: told.append(sentence))  # type: ignore[arg-type]  # what is asked of it
    assert sorted(row.arm for row in found.rows) == ["narrow", "stock"]
    assert len(removed) == 1  # what the first attempt had created
    assert [sentence for sentence in told if sentence.endswith("again, because GET /pods: Server disconnected")]


def test_what_breaks_twice_is_an_error_after_what_was_found_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object, __: object, ___: object, manifests: Sequence[Any], *, backlog: bool) -> Burst:
        if not backlog:
            raise SandboxError(f"{len(manifests)} pods: no answer")
        return Burst(Moments(), Used({}, {}))

    monkeypatch.setattr(throughput, "_seen", broken)
    running = measure(Cluster(), {10: PLAN[10]}, lambda *_: None)  # type: ignore[arg-type]  # what is asked of it
    assert [len(next(running).rows), len(next(running).rows)] == [2, 4]
    with pytest.raises(SandboxError, match="5 pods: no answer"):
        next(running)


def test_the_extender_may_take_gates_away(seen: list[tuple[str, bool, int, bool]]) -> None:
    cluster = Cluster()
    list(measure(cluster, PLAN, lambda *_: None))  # type: ignore[arg-type]  # what is asked of it
    assert seen
    applied = [call.rpartition("/")[2] for call in cluster.called if "scheduling-gates" in call]
    assert applied == ["rbac.yaml", "policy.yaml"]


def test_it_leads_once_the_lease_has_another_holder_than_the_measurement() -> None:
    cluster = Cluster("perf", "", "stowplan-scheduler-7d9_1")
    SchedulerPod(cluster).lead()  # type: ignore[arg-type]  # what is asked of it
    assert len([call for call in cluster.called if "get lease" in call]) == 3
