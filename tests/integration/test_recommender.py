"""The recommender on a real control plane: pods of all kinds of owners, recorded usage, crashes, and a change of hands."""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane import ControlPlane
from sandbox.install import service_account
from sandbox.jobs import completes_after
from sandbox.manifests import for_sandbox, render
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.probe import wait_until
from stowplan.model.keys import CHECKPOINT
from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import parse_profile
from tests.support.bare_planes import apply, own_control_plane

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
SHOP = "shop"
CONTAINERS = [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]


@dataclass(frozen=True)
class Recorded:
    """Usage and the time, as the recommenders of this module see them."""

    folder: Path

    def set_now(self, now_s: float) -> None:
        """Replace at once: a reader must never see half a number."""
        fresh = self.folder / "now.new"
        fresh.write_text(f"{now_s}", "ascii")
        fresh.rename(self.folder / "now")

    @property
    def now_s(self) -> int:
        """The time that they see."""
        return int(float((self.folder / "now").read_text("ascii")))

    def forget(self) -> None:
        """Usage that has been delivered is not there for others."""
        (self.folder / "usage.jsonl").write_bytes(b"")

    def add(self, pods: Mapping[str, float], minutes: int, namespace: str = SHOP) -> None:
        """The last minutes of some pods, each at its millicores."""
        lines = [
            json.dumps(
                {"namespace": namespace, "pod": pod, "container": "app", "t_s": t_s, "window_s": 60}
                | {"cpu": cpu, "memory": 100.0 * MIB}
            )
            for pod, cpu in pods.items()
            for t_s in range(self.now_s - 60 * (minutes - 1), self.now_s + 1, 60)
        ]
        with (self.folder / "usage.jsonl").open("a", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With the definitions, classes and roles of stowplan, and pods of every kind of owner."""
    with own_control_plane(tmp_path_factory, "recommender", runs_pods=True) as running:
        wait_ready(running, create_nodes(running, mixed_nodes(3)))
        apply(running, render(running, "crds"))
        running.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "--all")
        apply(running, for_sandbox(render(running, "base")))
        running.kubectl("create", "namespace", SHOP)
        running.wait_for_namespace(SHOP)
        apply(running, workloads())
        running.kubectl("create", "job", "-n", SHOP, "report-by-hand", "--from=cronjob/report")
        wait_until("all pods run", lambda: len(pods_of(running)) == sum(EXPECTED.values()))
        yield running


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    found = Recorded(tmp_path)
    (tmp_path / "usage.jsonl").touch()
    found.set_now(time.time())
    return found


@pytest.fixture
def start(plane: ControlPlane, recorded: Recorded) -> Iterator[Callable[..., str]]:
    """Starts a recommender of a name, with a fast pace; all are stopped and forgotten after the test."""
    started: list[str] = []

    def begin(name: str, lease_seconds: int = 6) -> str:
        kubeconfig = plane.kubeconfig_for(*service_account("stowplan-recommender"))
        argv: list[str | Path] = [sys.executable, "-m", "tests.support.recorded_recommender", recorded.folder]
        argv += [
            "--kubeconfig",
            kubeconfig,
            "--metrics-port",
            str(plane.port(name)),
            "--lease-seconds",
            str(lease_seconds),
        ]
        argv += ["--poll-seconds", "0.2", "--checkpoint-seconds", "1", "--pass-seconds", "1", "--urgent-seconds", "0.3"]
        process = plane.start_process(name, argv, {"PYTHONPATH": str(ROOT)})
        started.append(name)
        wait_until(f"{name} is ready", lambda: is_ready(plane, name), process=process)
        return name

    yield begin
    for name in started:
        if name in plane.processes:
            plane.stop_component(name)
    plane.kubectl("delete", "wprof", "--all", "--all-namespaces")


def workloads() -> list[Any]:
    """One of each kind; owners of kinds that the API server does not know stand for custom resources."""
    labels = {"app": "x"}

    def template(**extra: str) -> dict[str, Any]:
        return {"metadata": {"labels": {**labels, **extra}}, "spec": {"containers": CONTAINERS}}

    def made(kind: str, name: str, spec: Mapping[str, Any], api: str = "apps/v1", **meta: Any) -> dict[str, Any]:
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": SHOP, **meta}, "spec": spec}

    def owner(kind: str, name: str) -> list[dict[str, Any]]:
        return [{"apiVersion": "example.com/v1", "kind": kind, "name": name, "uid": "u-1", "controller": True}]

    def selecting(app: str, **extra: Any) -> dict[str, Any]:
        chosen = template()
        chosen["metadata"]["labels"] = {"app": app}
        return {"selector": {"matchLabels": {"app": app}}, "template": chosen, **extra}

    run: dict[str, Any] = {"spec": {"restartPolicy": "Never", "containers": CONTAINERS}}
    run["metadata"] = {"annotations": completes_after(3600)}
    revision = {
        "selector": {"matchLabels": {"app": "c"}},
        "template": {
            "metadata": {"labels": {"app": "c", "rollouts-pod-template-hash": "77"}},
            "spec": {"containers": CONTAINERS},
        },
    }
    return [
        made("Deployment", "web", selecting("web", replicas=2)),
        made("StatefulSet", "db", selecting("db", serviceName="db")),
        made("DaemonSet", "agent", selecting("agent")),
        made("CronJob", "report", {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": run}}}, "batch/v1"),
        made("ReplicaSet", "canary-77", revision, ownerReferences=owner("Rollout", "canary")),
        made("Pod", "toolbox", {"containers": CONTAINERS}, "v1"),
        made("Pod", "etl-driver", {"containers": CONTAINERS}, "v1", ownerReferences=owner("SparkApplication", "etl")),
    ]


EXPECTED = {  # pods by kind and name of the workload: two, one, one a node, and one of each of the others
    ("Deployment", "web"): 2,
    ("StatefulSet", "db"): 1,
    ("DaemonSet", "agent"): 3,
    ("CronJob", "report"): 1,
    ("Rollout", "canary"): 1,
    ("Pod", "toolbox"): 1,
    ("SparkApplication", "etl"): 1,
}


def pods_of(plane: ControlPlane) -> list[str]:
    pods = plane.kubectl_json("get", "pods", "-n", SHOP)["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]


def metric(plane: ControlPlane, name: str, metric_name: str) -> float:
    """A metric by its name and labels; 0 where it is not there (yet)."""
    with urllib.request.urlopen(f"http://127.0.0.1:{plane.port(name)}/metrics", timeout=60) as page:
        lines = page.read().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{metric_name} ")), 0.0)


def is_ready(plane: ControlPlane, name: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{plane.port(name)}/readyz", timeout=60):
            return True
    except OSError:
        return False


def profiles(plane: ControlPlane) -> dict[tuple[str, str], WorkloadProfile]:
    items = plane.kubectl_json("get", "wprof", "-n", SHOP)["items"]
    found = [parse_profile(item) for item in items if item.get("status")]
    return {(profile.kind, profile.name): profile for profile in found}


def samples(plane: ControlPlane, kind: str, name: str) -> int:
    profile = profiles(plane).get((kind, name))
    return profile.recommendations[0].containers[0].samples if profile is not None and profile.recommendations else -1


def wait_for_samples(plane: ControlPlane, each: int) -> None:
    """Until every profile rests on that many samples of each of its pods."""
    expected = {key: each * pods for key, pods in EXPECTED.items()}
    deadline = time.monotonic() + 180
    found: dict[tuple[str, str], int] = {}
    while found != expected and time.monotonic() < deadline:
        time.sleep(0.3)
        found = {key: samples(plane, *key) for key in expected}
    assert found == expected


def test_pods_of_every_kind_of_owner_get_a_profile_that_people_can_read(
    plane: ControlPlane, recorded: Recorded, start: Callable[..., str]
) -> None:
    start("recommender-1")
    recorded.add(dict.fromkeys(pods_of(plane), 400.0), minutes=60)
    wait_for_samples(plane, each=60)

    found = profiles(plane)
    assert set(found) == set(EXPECTED)
    web = found["Deployment", "web"]
    assert (web.api_version, web.replicas, web.observed_class) == ("apps/v1", 2, "standard")
    assert {r.workload_class for r in web.recommendations} >= {"critical", "standard", "elastic", "batch", "dev"}
    table = plane.kubectl("get", "wprof", "-n", SHOP)
    (line,) = [line for line in table.splitlines() if line.startswith("deployment-web")]
    # NAME, KIND, TARGET, CLASS, CPU, MEMORY, CONFIDENCE, HISTORY; 4 % of own data leave the size table's 500m and 2Gi
    assert line.split()[1:5] == ["Deployment", "web", "standard", "500m"]
    assert "low" in line.split()


def rounds_pass(plane: ControlPlane, name: str) -> None:
    """Two rounds of checkpoints: each writes a shard for every workload at most, and one with the incidents."""
    written = 'stowplan_recommender_writes_total{kind="checkpoint"}'
    wanted = metric(plane, name, written) + 2 * (len(EXPECTED) + 1)
    wait_until("two rounds of checkpoints", lambda: metric(plane, name, written) >= wanted)


def passes(plane: ControlPlane, name: str, count: int) -> None:
    """So many more looks at all workloads."""
    done = 'stowplan_recommender_pass_seconds_count{scope="all"}'
    wanted = metric(plane, name, done) + count
    wait_until(f"{count} passes", lambda: metric(plane, name, done) >= wanted)


def test_a_kill_loses_at_most_one_round_of_checkpoints(
    plane: ControlPlane, recorded: Recorded, start: Callable[..., str]
) -> None:
    name = start("recommender-2")
    pods = dict.fromkeys(pods_of(plane), 400.0)
    recorded.add(pods, minutes=30)
    wait_until("the usage shows", lambda: samples(plane, "Deployment", "web") == 60)
    rounds_pass(plane, name)  # from here on a crash may not lose any of it
    plane.stop_component(name, kill=True)
    recorded.set_now(recorded.now_s + 600)
    start("recommender-3")
    recorded.add(pods, minutes=10)

    wait_for_samples(plane, each=40)  # nothing was lost, and nothing counted twice
    shards = plane.kubectl_json("get", "wprof", "-n", "stowplan-system", "-l", f"{CHECKPOINT}=open-day")["items"]
    assert 0 < len(shards) <= 65
    assert all(len(json.dumps(shard)) < 20_000 for shard in shards)


def test_a_day_that_is_over_is_learned_and_survives_a_crash(
    plane: ControlPlane, recorded: Recorded, start: Callable[..., str]
) -> None:
    name = start("recommender-4")
    recorded.set_now((int(time.time()) // 86_400) * 86_400 + 86_000)
    recorded.add(dict.fromkeys(pods_of(plane), 400.0), minutes=120)
    wait_until("the usage shows", lambda: samples(plane, "StatefulSet", "db") == 120)
    recorded.set_now(recorded.now_s + 2000)
    wait_until("the day was learned", lambda: history(plane) == 24)
    plane.stop_component(name, kill=True)
    start("recommender-5")

    passes(plane, "recommender-5", 3)
    found = profiles(plane)["StatefulSet", "db"]
    assert (found.history_hours, found.recommendations[0].containers[0].days) == (24, 1)
    assert len(found.checkpoint["app"]) > 20


def history(plane: ControlPlane) -> int:
    found = profiles(plane).get(("StatefulSet", "db"))
    return found.history_hours if found is not None else 0


def test_one_learns_and_the_next_goes_on_where_it_stopped(
    plane: ControlPlane, recorded: Recorded, start: Callable[..., str]
) -> None:
    first = start("recommender-6", lease_seconds=15)  # which a machine that stalls for some seconds does not lose
    wait_until("the first one holds the Lease", lambda: is_active(plane, first))
    second = start("recommender-7", lease_seconds=15)  # ready while it stands by, so that a roll-out goes on
    pods = dict.fromkeys(pods_of(plane), 400.0)
    recorded.add(pods, minutes=20)
    wait_for_samples(plane, each=20)
    assert not is_active(plane, second)
    recorded.forget()  # as with metrics-server: the second one never sees what the first one learned

    plane.stop_component(first)  # it writes what is open, and gives the Lease up
    wait_until("the second one takes over", lambda: is_active(plane, second))
    lease = plane.kubectl_json("get", "lease", "-n", "stowplan-system", "stowplan-recommender")
    assert lease["spec"]["leaseTransitions"] >= 1
    recorded.set_now(recorded.now_s + 600)
    recorded.add(pods, minutes=10)
    wait_for_samples(plane, each=30)

    third = start("recommender-8", lease_seconds=15)
    plane.stop_component(second, kill=True)  # a crash gives nothing up: the next one waits for the Lease to run out
    assert not is_active(plane, third)
    wait_until("the third one takes over", lambda: is_active(plane, third))


def is_active(plane: ControlPlane, name: str) -> bool:
    return metric(plane, name, "stowplan_recommender_active") == 1
