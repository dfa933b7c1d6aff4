"""What the recommender knows of pods: whose they are, what they ask for, when they started, and what the webhook did."""

import json
from typing import Any

import pytest

from recommender.live.pod_index import PodIndex
from recommender.workloads.features import repository
from recommender.workloads.pods import PodView, Templates, project_pod_view
from stowplan.kube.codec import ObjectKey
from stowplan.kube.owner_links import OwnerLinks
from stowplan.kube.owner_projection import OwnerLink, project_owner_link
from stowplan.model.profile import WorkloadMode
from stowplan.model.workload import Controller, WorkloadKey
from stowplan.model.workload_class import Cost

MIB = 2**20


def _raw(name: str = "web-5d9c-abcde", **changes: Any) -> bytes:
    pod = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"u-{name}",
            "creationTimestamp": "2024-10-04T00:00:00Z",
            "labels": {"pod-template-hash": "5d9c", "app.kubernetes.io/name": "checkout", "stowplan.dev/cost": "safe"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "web-5d9c", "controller": True, "apiVersion": "apps/v1"}
            ],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {
                    "name": "app",
                    "image": "registry:5000/team/api:1.2@sha256:aa",
                    "command": ["java", "-jar"],
                    "args": ["a.jar", "more"],
                    "resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": 2, "memory": "1Gi"}},
                },
                {"name": "log", "image": "fluent"},
            ],
            "initContainers": [
                {"name": "migrate", "image": "m"},
                {"name": "proxy", "image": "envoy:1", "restartPolicy": "Always"},
            ],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "app", "state": {"running": {"startedAt": "2024-10-04T00:00:05Z"}}},
                {"name": "log", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            ],
        },
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        at: Any = pod
        for parent in parents:
            at = at[parent]
        at[last] = value
    return json.dumps(pod).encode()


def _view(name: str = "web-5d9c-abcde", **changes: Any) -> PodView:
    return project_pod_view(_raw(name, **changes), Templates())


def _index(*views: PodView, links: OwnerLinks | None = None) -> PodIndex:
    index = PodIndex(links or OwnerLinks())
    index.replace(views)
    return index


def test_a_pod_tells_its_containers_and_when_they_started() -> None:
    view = _view()
    app, log, proxy = view.template.containers

    assert (app.cpu, app.memory, app.cpu_limit) == (1500, 1024 * MIB, 2000)  # a missing request is the limit
    assert (log.cpu, log.memory, log.cpu_limit) == (0, 0, 0)
    assert (proxy.name, app.command) == ("proxy", ("java", "-jar", "a.jar"))
    assert view.started == (("app", 1_728_000_005),)
    assert (view.running, view.finished, view.template.restarts_always) == (True, False, True)
    assert (view.template.cost, view.template.mode) == (Cost.SAFE, None)


def test_what_the_webhook_wrote_is_told_apart_from_what_the_user_wrote() -> None:
    record = {
        "mode": "Apply",
        "main": "app",
        "cpu": {"from": "4", "set": "1500m"},
        "memory": {"from": "1Gi", "ideal": "2Gi"},
        "others": {"log": {"cpu": {"from": None, "set": "100m"}}},
    }
    annotations = {
        "status.stowplan.dev/decision": json.dumps(record),
        "status.stowplan.dev/class-revision": "standard.r7",
    }
    template = _view(metadata__annotations=annotations).template
    app, log, proxy = template.containers

    assert (app.cpu_is_ours, app.memory_is_ours, log.cpu_is_ours, proxy.cpu_is_ours) == (True, False, True, False)
    assert (template.mode, template.decided_class) == (WorkloadMode.APPLY, "standard")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_record_that_cannot_be_read_says_nothing(text: str) -> None:
    template = _view(metadata__annotations={"status.stowplan.dev/decision": text}).template

    assert template.mode is None
    assert not any(c.cpu_is_ours for c in template.containers)


def test_the_pods_of_a_template_share_it() -> None:
    templates = Templates()
    one, two = (project_pod_view(_raw(f"web-5d9c-{n}"), templates) for n in "ab")

    assert one.template is two.template


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("registry:5000/team/api:1@sha256:aa", "registry:5000/team/api"),
        ("registry:5000/team/api", "registry:5000/team/api"),
    ],
)
def test_the_repository_of_an_image(image: str, expected: str) -> None:
    assert repository(image) == expected


def test_features_name_what_is_alike() -> None:
    template = _view().template
    features = template.features(template.containers[0], "standard")

    assert features == {
        "image": "registry:5000/team/api",
        "container": "app",
        "command": "java -jar a.jar",
        "app": "checkout//",
        "siblings": "envoy fluent",
        "namespace": "shop",
        "class": "standard",
    }


def test_samples_find_their_workload_their_start_and_their_limit() -> None:
    index = _index(_view())
    place = index.locate("shop", "web-5d9c-abcde", "app")

    assert place is not None
    assert (place.workload.key, place.by_runs) == (WorkloadKey("shop", "Deployment", "web"), False)
    assert (place.started_s, place.cpu_limit) == (1_728_000_005, 2000)
    assert not place.init
    assert index.locate("shop", "web-5d9c-abcde", "debugger") is None
    assert index.locate("shop", "stranger", "app") is None


def test_an_init_container_that_ends_is_known_as_one_and_a_sidecar_is_not() -> None:
    view = _view()
    places = {name: _index(view).locate("shop", "web-5d9c-abcde", name) for name in ("migrate", "proxy")}

    assert {name: place.init for name, place in places.items() if place is not None} == {
        "migrate": True,
        "proxy": False,
    }
    assert [c.name for c in view.template.init_containers] == ["migrate"]
    assert [c.name for c in view.template.all_containers] == ["app", "log", "proxy", "migrate"]


def test_a_pod_prepares_until_its_apps_run() -> None:
    index = _index(_view("a", status={"phase": "Pending"}), _view("b"))

    assert [index.preparing("shop", name) for name in "abc"] == [True, False, False]


def test_namespaces_that_are_never_sized_are_not_learned() -> None:
    index = _index(_view(metadata__namespace="kube-system"))

    assert len(index) == 0
    assert index.locate("kube-system", "web-5d9c-abcde", "app") is None


def test_pods_that_do_not_restart_are_learned_by_runs() -> None:
    owner = [{"kind": "Job", "name": "report-29384756", "controller": True}]
    index = _index(_view("report-29384756-x", metadata__ownerReferences=owner, spec__restartPolicy="Never"))
    place = index.locate("shop", "report-29384756-x", "app")

    assert place is not None
    assert (place.workload.key, place.by_runs) == (WorkloadKey("shop", "CronJob", "report"), True)


def test_pods_that_are_gone_are_placed_by_name_where_the_workload_is_known() -> None:
    known = WorkloadKey("shop", "Deployment", "web")
    index = PodIndex(OwnerLinks(), {known})
    place = index.locate("shop", "web-5d9c7f6b84-x7k2p", "app")

    assert place is not None
    assert place.workload.key == known
    assert index.locate("shop", "other-5d9c7f6b84-x7k2p", "app") is None


def test_the_newest_pod_speaks_for_the_workload() -> None:
    old = _view("web-5d9c-old")
    new = _view("web-5d9c-new", metadata__creationTimestamp="2024-10-05T00:00:00Z", spec__containers=[{"name": "app2"}])
    waiting = _view("web-5d9c-waits", spec__nodeName="", metadata__creationTimestamp="2024-10-03T00:00:00Z")
    running = _index(old, new, waiting).running()

    (key,) = running
    assert key == WorkloadKey("shop", "Deployment", "web")
    assert running[key].replicas == 2
    assert [c.name for c in running[key].template.containers] == ["app2", "proxy"]


def test_a_pod_that_is_deleted_or_done_is_not_alive() -> None:
    index = _index(_view("a"), _view("b", status__phase="Succeeded"), _view("c"))
    index.delete(ObjectKey("shop", "c", ""))

    assert [index.alive("shop", name) for name in "abc"] == [True, False, False]


def test_links_of_owners_are_kept_only_where_names_do_not_tell() -> None:
    def project(name: str, owner: dict[str, Any] | None, **labels: str) -> OwnerLink | None:
        meta = {"name": name, "namespace": "shop", "labels": labels, "ownerReferences": [owner] if owner else None}
        return project_owner_link("Job", json.dumps({"metadata": meta}).encode())

    cron = {"kind": "CronJob", "name": "report", "controller": True}
    scaled = {"kind": "ScaledJob", "name": "scaled", "controller": True, "apiVersion": "keda.sh/v1alpha1"}
    assert project("report-29384756", cron) is None
    assert project("by-hand", None) is None
    assert project("by-hand", {**cron, "controller": False}) is None
    assert project("by-hand", cron) == OwnerLink("shop", "by-hand", Controller("CronJob", "report"))
    assert project("scaled-x", scaled) == OwnerLink(
        "shop", "scaled-x", Controller("ScaledJob", "scaled", "keda.sh/v1alpha1")
    )


def test_what_was_seen_of_owners_decides_whose_a_pod_is() -> None:
    links = OwnerLinks()
    jobs, sets = links.handler("Job"), links.handler("ReplicaSet")
    sets.upsert(OwnerLink("shop", "scaled-x", Controller("Other", "o")))
    jobs.replace([OwnerLink("shop", "scaled-x", Controller("ScaledJob", "scaled"))])
    owner = [{"kind": "Job", "name": "scaled-x", "controller": True}]
    view = _view("scaled-x-1", metadata__ownerReferences=owner)

    assert _index(view, links=links).workload(view).key == WorkloadKey("shop", "ScaledJob", "scaled")
    jobs.delete(ObjectKey("shop", "scaled-x", ""))
    assert _index(view, links=links).workload(view).key == WorkloadKey("shop", "Job", "scaled-x")
    jobs.replace([])
    assert links.of("shop", "ReplicaSet", "scaled-x") is not None
