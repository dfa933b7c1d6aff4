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
from perf.in_kind.throughput import Scope, measure
from perf.throughput.arms import ARMS, Arm
from perf.throughput.burst import Burst, Moments, Used
from stowplan.kube.connection import Connection

SCOPE = Scope((10, 20), 15, [ARMS["stock"], ARMS["narrow"]], {10: 5}, [ARMS["stock"], ARMS["gates"]], 2)


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


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, int, bool]]:
    """Arm, whether on a backlog, number of pods and whether they are gated, of each burst; nothing is created."""
    found: list[tuple[str, bool, int, bool]] = []

    async def nothing(*_: object) -> None:
        pass

    async def burst(_: object, __: object, arm: Arm, manifests: Sequence[Any], *, backlog: bool) -> Burst:
        found.append((arm.name, backlog, len(manifests), "schedulingGates" in manifests[0]["spec"]))
        return Burst(Moments(), Used({}, {}))

    @contextlib.asynccontextmanager
    async def client(_: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(throughput, "keep_apart", lambda _: None)
    monkeypatch.setattr(throughput, "add_nodes", nothing)
    monkeypatch.setattr(throughput, "create_pods", nothing)
    monkeypatch.setattr(throughput, "ApiClient", client)
    monkeypatch.setattr(Connection, "from_kubeconfig", lambda _: None)
    monkeypatch.setattr(throughput, "_seen", burst)
    return found


def test_every_arm_has_a_backlog_on_every_size_and_every_channel_a_burst_where_asked(
    seen: list[tuple[str, bool, int, bool]],
) -> None:
    cluster, told = Cluster(), list[tuple[str, int, int]]()
    found = list(measure(cluster, SCOPE, lambda *what: told.append(what)))  # type: ignore[arg-type]  # what is asked of it

    shapes = [(one.nodes, one.pods, one.backlog, len(one.rows)) for one in found]
    assert shapes == [(10, 15, True, 4), (10, 5, False, 4), (20, 15, True, 4)]
    assert [(row.arm, row.round) for row in found[0].rows].count(("narrow", 0)) == 1
    assert {entry for entry in seen if entry[1]} == {("stock", True, 15, False), ("narrow", True, 15, False)}
    assert {entry for entry in seen if not entry[1]} == {("stock", False, 5, False), ("gates", False, 5, True)}
    assert told[-1][1:] == (11, 12)
    assert SCOPE.steps == 12  # two rounds of two arms on two sizes, and of two channels on one


def test_the_extender_may_take_gates_away(seen: list[tuple[str, bool, int, bool]]) -> None:
    cluster = Cluster()
    list(measure(cluster, SCOPE, lambda *_: None))  # type: ignore[arg-type]  # what is asked of it
    assert seen
    applied = [call.rpartition("/")[2] for call in cluster.called if "scheduling-gates" in call]
    assert applied == ["rbac.yaml", "policy.yaml"]


def test_it_leads_once_the_lease_has_another_holder_than_the_measurement() -> None:
    cluster = Cluster("perf", "", "stowplan-scheduler-7d9_1")
    SchedulerPod(cluster).lead()  # type: ignore[arg-type]  # what is asked of it
    assert len([call for call in cluster.called if "get lease" in call]) == 3
