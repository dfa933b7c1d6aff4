"""`stowplan moves` that evicts: patience with budgets, rounds, interruptions and learned lifetimes, on a real API server and scheduler."""

from __future__ import annotations

import json
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sandbox.control_plane import ControlPlane
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from sandbox.processes import Process
from stowplan.catalog import load_catalog
from stowplan.cli.main import app
from tests.support.bare_planes import own_control_plane
from tests.support.evictions import (
    allowed,
    bound,
    budget,
    by_default,
    cordoned,
    evictions_of,
    healthy_over_time,
    reports,
    standing,
)
from tests.support.extender_processes import (
    Kubectl,
    Running,
    create,
    deployment,
    eventually,
    extender,
    get,
    scheduled,
)

MakeNodes = Callable[..., list[str]]
REPLICAS = 3


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One of its own: the command empties whatever nodes it finds."""
    with own_control_plane(tmp_path_factory, "moves", runs_pods=True) as running:
        yield running


@pytest.fixture
def make_nodes(control_plane: ControlPlane, namespace: str) -> Iterator[MakeNodes]:
    """`make_nodes("m5.xlarge", "a", "b")` creates nodes; they and the pods on them are gone after the test."""
    made: list[str] = []

    def make(kind: str, *names: str) -> list[str]:
        manifests = [node_manifest(name, load_catalog()[kind], zone="us-east-1a") for name in names]
        made.extend(create_nodes(control_plane, manifests))
        wait_ready(control_plane, names)
        return list(names)

    yield make
    control_plane.kubectl("delete", "deployments,poddisruptionbudgets,resourcequotas", "--all", "-n", namespace)
    control_plane.kubectl("delete", "pods", "--all", "-n", namespace)
    control_plane.kubectl("delete", "node", *made)


@pytest.fixture
def crowd(kubectl: Kubectl, namespace: str, make_nodes: MakeNodes) -> list[str]:
    """Three pods under a budget of one on node `old`, all of which fit beside the one pod of node `new`; their UIDs."""
    make_nodes("m5.xlarge", "old")
    create(kubectl, namespace, by_default(deployment("web", REPLICAS)), budget("web"))
    scheduled(kubectl, namespace, REPLICAS)
    make_nodes("m5.xlarge", "new")
    create(kubectl, namespace, bound("stays", "new"))
    eventually(lambda: allowed(kubectl, namespace, "web") == 1, "the budget allows one to be away")
    return standing(kubectl, namespace, "old")


def invoked(control_plane: ControlPlane, *flags: str) -> Result:
    command = ["moves", "--kubeconfig", str(control_plane.kubeconfig), "--act", "evict", "--pause", "0", *flags]
    return CliRunner().invoke(app, command)


@pytest.fixture
def started(control_plane: ControlPlane) -> Iterator[Callable[..., Process]]:
    """The command as a process, ended after the test where it still runs."""
    running: list[Process] = []

    def start(*flags: str) -> Process:
        argv = [
            sys.executable,
            "-c",
            "from stowplan.cli.main import app; app()",
            "moves",
            "--kubeconfig",
            str(control_plane.kubeconfig),
        ]
        argv += ["--act", "evict", "--pause", "0", "-o", "json", *flags]
        running.append(control_plane.start_process(f"moves-{uuid.uuid4().hex[:6]}", argv))
        return running[-1]

    yield start
    for process in running:
        process.stop()


def test_with_a_wait_all_pods_are_moved_one_after_the_other(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, crowd: list[str]
) -> None:
    assert len(crowd) == REPLICAS
    argv: list[str | Path] = [control_plane.bin("kubectl"), f"--kubeconfig={control_plane.kubeconfig}", "get", "pods"]
    argv += ["-n", namespace, "--watch", "--output-watch-events", "-o", "json"]
    watch = control_plane.start_process("watch", argv)

    def seen() -> list[int]:
        return healthy_over_time(watch.log.read_text(), "web")

    try:
        eventually(lambda: seen()[-1:] == [REPLICAS], "the watch has seen all pods")
        result = invoked(control_plane, "--wait", "120")
        eventually(lambda: seen()[-1] == REPLICAS and min(seen()[REPLICAS:]) < REPLICAS, "all pods are back")
    finally:
        watch.stop()

    assert result.exit_code == 0, result.output
    assert "emptied  old" in result.output
    assert result.output.count(": evicted") == REPLICAS
    # From when all were there the count never falls by more than the one that the budget lets be away.
    counts = seen()
    assert min(counts[counts.index(REPLICAS) :]) == REPLICAS - 1
    assert standing(kubectl, namespace, "old") == []
    assert len(standing(kubectl, namespace, "new")) == REPLICAS + 1
    assert cordoned(kubectl, "old")


def test_without_a_wait_a_node_with_more_pods_than_may_be_away_stays(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, crowd: list[str]
) -> None:
    result = invoked(control_plane, "--wait", "0")

    assert result.exit_code == 0
    assert "0 moves would save" in result.output
    assert "PodDisruptionBudget web allows none" in result.output
    assert standing(kubectl, namespace, "old") == crowd
    assert not cordoned(kubectl, "old")


def held_at_one(kubectl: Kubectl, namespace: str) -> None:
    """From now on no pod that is evicted comes again, so that the budget refuses every further eviction."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}}
    create(kubectl, namespace, quota)
    eventually(
        lambda: kubectl("get", "resourcequota", "one", "-n", namespace)["status"].get("hard"), "the quota is in force"
    )


def test_where_the_wait_is_over_the_first_refusal_ends_it_and_the_node_is_uncordoned(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, crowd: list[str]
) -> None:
    assert len(crowd) == REPLICAS
    held_at_one(kubectl, namespace)

    result = invoked(control_plane, "--wait", "1", "-o", "json")

    assert result.exit_code == 1
    (acted,) = json.loads(result.stdout)["acted"]
    assert (acted["node"], acted["emptied"]) == ("old", False)
    # The dry runs of all three were accepted; then one went, and one was refused; the third was not asked for.
    outcomes = [one["outcome"] for one in acted["evictions"]]
    assert outcomes == ["would-evict"] * REPLICAS + ["evicted", "refused"]
    assert "disruption budget" in acted["evictions"][-1]["message"]
    assert len(standing(kubectl, namespace, "old")) == REPLICAS - 1
    assert not cordoned(kubectl, "old")


@pytest.mark.parametrize(
    ("number", "flags", "code"),
    [
        (signal.SIGTERM, (), 143),
        (signal.SIGINT, (), 130),
        (signal.SIGTERM, ("--every", "5"), 0),
    ],
)
def test_interrupted_while_it_waits_the_node_is_uncordoned(
    kubectl: Kubectl,
    namespace: str,
    crowd: list[str],
    started: Callable[..., Process],
    number: signal.Signals,
    flags: tuple[str, ...],
    code: int,
) -> None:
    assert len(crowd) == REPLICAS
    if flags:  # one move for every ten pods: as many as have to move
        create(kubectl, namespace, *(bound(f"more-{i}", "new") for i in range(10 * REPLICAS)))
    held_at_one(kubectl, namespace)
    process = started("--wait", "600", *flags)
    eventually(lambda: len(standing(kubectl, namespace, "old")) < REPLICAS, "one pod is evicted, the next has to wait")
    assert cordoned(kubectl, "old")

    process.identity.signal(number)

    assert process.wait(60) == code
    assert f"interrupted by {number.name}" in process.log.read_text()
    assert len(standing(kubectl, namespace, "old")) == REPLICAS - 1
    assert not cordoned(kubectl, "old")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_rounds_make_one_move_for_every_ten_pods_that_came(
    kubectl: Kubectl,
    namespace: str,
    make_nodes: MakeNodes,
    started: Callable[..., Process],
    number: signal.Signals,
) -> None:
    # Of pods that ask for two cores one fits a node of 3.9; all three fit the large node, which comes later.
    make_nodes("m5.xlarge", "small-0", "small-1", "small-2")
    web = by_default(deployment("web", REPLICAS))
    web["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "2"
    create(kubectl, namespace, web)
    scheduled(kubectl, namespace, REPLICAS)
    make_nodes("m5.4xlarge", "large")
    create(kubectl, namespace, *(bound(f"p{i}", "large") for i in range(26)))
    scheduled(kubectl, namespace, 29)

    process = started("--every", "1")
    eventually(lambda: evictions_of(process) == 2, "29 pods allow two moves")
    scheduled(kubectl, namespace, 29)
    # Those created in their place have not come: 31 pods would allow three moves.
    rounds = len(reports(process))
    eventually(lambda: len(reports(process)) >= rounds + 2, "two more rounds")
    before = evictions_of(process)
    create(kubectl, namespace, bound("thirtieth", "large"))
    eventually(lambda: evictions_of(process) == 3, "30 pods allow three moves")
    process.identity.signal(number)
    code = process.wait(60)

    assert before == 2
    assert code == 0, process.log_tail()
    assert "Traceback" not in process.log.read_text()
    assert len(standing(kubectl, namespace, "large")) >= 27
    assert [cordoned(kubectl, name) for name in ("small-0", "small-1", "small-2")] == [True] * 3


def test_lifetimes_come_from_the_extender_and_the_report_says_whether_they_were_known(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, crowd: list[str]
) -> None:
    assert len(crowd) == REPLICAS
    command = ["moves", "--kubeconfig", str(control_plane.kubeconfig), "-o", "json"]
    with extender(control_plane, "narrow", "--planner=false") as ours:
        asked = get(f"{ours.url}/lifetimes")
        report = json.loads(CliRunner().invoke(app, [*command, "--extender", ours.url]).stdout)
        table = CliRunner().invoke(app, [*command[:3], "--extender", ours.url])

    assert asked == (200, {"schema_version": 1, "seconds_left": None})
    assert report["lifetimes"] == "unknown"
    assert [(drain["node"], drain["seconds_left"]) for drain in report["drains"]] == [("old", None)]
    assert "How long pods stay is not known: in the order of dollars an hour" in table.stdout
    assert len(standing(kubectl, namespace, "old")) == REPLICAS  # a report moves nothing


def learned_from_a_pod(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, ours: Running
) -> dict[str, float] | None:
    """What the extender has learned once a pod came and left; it may have seen neither, then another one has to."""
    create(kubectl, namespace, bound("leaves", "new"))
    control_plane.kubectl("wait", "pod/leaves", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    control_plane.kubectl("delete", "pod", "leaves", "-n", namespace)
    known: dict[str, float] | None = get(f"{ours.url}/lifetimes")[1]["seconds_left"]
    return known


def test_learned_lifetimes_say_how_long_a_node_is_expected_to_be_in_use(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, crowd: list[str]
) -> None:
    assert len(crowd) == REPLICAS
    command = ["moves", "--kubeconfig", str(control_plane.kubeconfig), "-o", "json"]
    with extender(control_plane, "narrow") as ours:
        known = eventually(lambda: learned_from_a_pod(control_plane, kubectl, namespace, ours), "something was learned")
        answer = CliRunner().invoke(app, [*command, "--extender", ours.url])
        report = json.loads(answer.stdout)
        table = CliRunner().invoke(app, [*command[:3], "--extender", ours.url])

    assert {"old", "new"} <= set(known)
    assert report["lifetimes"] == "learned"
    for drain in report["drains"]:
        assert drain["seconds_left"] == pytest.approx(known[drain["node"]], rel=0.1)
    assert {d["node"] for d in report["drains"]} | set(report["kept"]) == {"old", "new"}
    assert "as learned, for each pod moved" in table.stdout
