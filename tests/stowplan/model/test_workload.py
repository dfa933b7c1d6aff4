"""Names of workloads: the same for all pods, revisions and runs of one, and different for different ones."""

import pytest

from stowplan.model.workload import Controller, PodNames, Workload, guesses, workload_of


def _named(name: str = "", generate_name: str = "", **labels: str) -> PodNames:
    return PodNames("shop", name, generate_name, {key.replace("_", "-"): value for key, value in labels.items()})


@pytest.mark.parametrize(
    ("pod", "owner", "kind", "name"),
    [
        (_named("web-5d9c-abcde", pod_template_hash="5d9c"), Controller("ReplicaSet", "web-5d9c"), "Deployment", "web"),
        (_named("web-5d9c-abcde"), Controller("ReplicaSet", "web-5d9c"), "ReplicaSet", "web-5d9c"),
        (
            _named("web-77-abcde", rollouts_pod_template_hash="77"),
            Controller("ReplicaSet", "web-77"),
            "Rollout",
            "web",
        ),
        (_named("db-0"), Controller("StatefulSet", "db"), "StatefulSet", "db"),
        (_named("agent-x7k2p"), Controller("DaemonSet", "agent"), "DaemonSet", "agent"),
        (_named("report-29384756-zxcvb"), Controller("Job", "report-29384756"), "CronJob", "report"),
        (_named("migrate-zxcvb"), Controller("Job", "migrate"), "Job", "migrate"),
        (_named("etl-driver"), Controller("SparkApplication", "etl"), "SparkApplication", "etl"),
        (_named("toolbox"), None, "Pod", "toolbox"),
        (_named("run-abcde", "run-"), None, "Pod", "run"),
        (_named("", "run-"), None, "Pod", "run"),
    ],
)
def test_a_pod_names_its_workload(pod: PodNames, owner: Controller | None, kind: str, name: str) -> None:
    found = workload_of(pod, owner)

    assert (found.namespace, found.kind, found.name) == ("shop", kind, name)
    assert (found.owner_kind, found.owner_name) == ((owner.kind, owner.name) if owner else ("", ""))


def test_executors_of_spark_belong_to_the_application_of_their_driver() -> None:
    executor = PodNames("shop", "etl-exec-1", labels={"sparkoperator.k8s.io/app-name": "etl"})

    assert workload_of(executor, Controller("Pod", "etl-driver")).identity == "shop/SparkApplication/etl"


def test_what_was_seen_of_a_revision_or_run_wins_over_its_name() -> None:
    def seen(namespace: str, kind: str, name: str) -> Controller | None:
        known = {("shop", "Job", "scaled-x1"): Controller("ScaledJob", "scaled", "keda.sh/v1alpha1")}
        return known.get((namespace, kind, name))

    found = workload_of(_named("scaled-x1-abcde"), Controller("Job", "scaled-x1"), seen)

    assert (found.kind, found.name, found.api_version) == ("ScaledJob", "scaled", "keda.sh/v1alpha1")


def test_what_controls_a_stateful_set_does_not_matter() -> None:
    """An operator controls several with other needs: they must not be pooled."""

    def seen(_namespace: str, _kind: str, _name: str) -> Controller:
        return Controller("Kafka", "main")

    assert workload_of(_named("zoo-0"), Controller("StatefulSet", "zoo"), seen).identity == "shop/StatefulSet/zoo"


@pytest.mark.parametrize(
    ("workload", "pods"),
    [
        (Workload("shop", "Deployment", "web-api"), ("web-api-5d9c7f6b84-x7k2p",)),
        (Workload("shop", "StatefulSet", "db"), ("db-0", "db-12")),
        (Workload("shop", "DaemonSet", "agent"), ("agent-x7k2p",)),
        (Workload("shop", "CronJob", "report"), ("report-29384756-zxcvb",)),
        (Workload("shop", "Pod", "toolbox"), ("toolbox",)),
    ],
)
def test_pods_that_are_gone_are_guessed_by_name(workload: Workload, pods: tuple[str, ...]) -> None:
    for pod in pods:
        assert (workload.kind, workload.name) in set(guesses(pod))
