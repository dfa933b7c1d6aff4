"""What we run fits a namespace of the restricted pod security standard, survives a roll-out, and can be probed."""

from typing import Any

import pytest

from extender.settings import ExtenderSettings
from recommender.settings import RecommenderSettings
from stowplan.serving.settings import load_settings, parse_flags
from tests.support.manifest_files import Manifest, of_kind
from webhook.rotation import RotationSettings
from webhook.settings import WebhookSettings

DEPLOYMENTS = of_kind("Deployment")
REPLICATED = [name for name, m in DEPLOYMENTS.items() if m["spec"]["replicas"] > 1]
CONTAINERS = [
    pytest.param(m["spec"]["template"]["spec"], container, id=f"{name}/{container['name']}")
    for name, m in DEPLOYMENTS.items()
    for container in m["spec"]["template"]["spec"]["containers"]
]


def pod_of(deployment: str) -> Manifest:
    spec: Manifest = DEPLOYMENTS[deployment]["spec"]["template"]["spec"]
    return spec


def test_there_are_webhook_rotation_recommender_and_scheduler() -> None:
    assert set(DEPLOYMENTS) == {"stowplan-webhook", "stowplan-rotation", "stowplan-recommender", "stowplan-scheduler"}


@pytest.mark.parametrize(("pod", "container"), CONTAINERS)
def test_containers_are_restricted(pod: Manifest, container: Manifest) -> None:
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 65532)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(("pod", "container"), CONTAINERS)
def test_containers_are_probed_on_a_named_port_and_sized(pod: Manifest, container: Manifest) -> None:
    assert pod["enableServiceLinks"] is False  # a Service stowplan-x would put STOWPLAN_X_* into the environment
    ports = {port["name"] for port in container["ports"]}
    assert container["livenessProbe"]["httpGet"]["port"] in ports
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert set(container["resources"]["limits"]) == {"memory"}


@pytest.mark.parametrize("name", REPLICATED)
def test_replicas_are_spread_replaced_one_by_one_and_protected(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    labels = spec["template"]["metadata"]["labels"]

    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "kubernetes.io/hostname" in [c["topologyKey"] for c in pod_of(name)["topologySpreadConstraints"]]
    budget = of_kind("PodDisruptionBudget")[name]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_a_service_finds_the_metrics(name: str) -> None:
    service = of_kind("Service")[f"{name}-metrics"]["spec"]
    named = {p["name"] for c in pod_of(name)["containers"] for p in c["ports"]}

    assert service["selector"].items() <= DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"].items()
    assert {port["targetPort"] for port in service["ports"]} <= named


def test_only_the_leaf_is_mounted_into_the_webhook() -> None:
    secrets = [v["secret"]["secretName"] for v in pod_of("stowplan-webhook")["volumes"] if "secret" in v]

    assert secrets == ["stowplan-webhook-tls"]


def test_the_recommender_writes_profiles_and_its_lease_and_nothing_else() -> None:
    rules = [
        *of_kind("ClusterRole")["stowplan-recommender"]["rules"],
        *of_kind("Role")["stowplan-recommender"]["rules"],
    ]

    written = {
        resource for rule in rules if set(rule["verbs"]) - {"get", "list", "watch"} for resource in rule["resources"]
    }
    assert written == {"workloadprofiles", "workloadprofiles/status", "leases"}


def test_the_scheduler_calls_the_extender_beside_it() -> None:
    kube_scheduler, extender = pod_of("stowplan-scheduler")["containers"]

    assert kube_scheduler["image"].startswith("registry.k8s.io/kube-scheduler:v")
    assert {"--host=127.0.0.1", "--port=8888"} <= set(extender["args"])


@pytest.mark.parametrize(
    "role", [*of_kind("Role").values(), *of_kind("ClusterRole").values()], ids=lambda r: r["metadata"]["name"]
)
def test_no_role_has_a_wildcard(role: dict[str, Any]) -> None:
    for rule in role["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


@pytest.mark.parametrize(
    ("deployment", "container", "settings"),
    [
        ("stowplan-webhook", 0, WebhookSettings),
        ("stowplan-rotation", 0, RotationSettings),
        ("stowplan-recommender", 0, RecommenderSettings),
        ("stowplan-scheduler", 1, ExtenderSettings),
    ],
    ids=["webhook", "rotation", "recommender", "extender"],
)
def test_the_flags_are_settings_of_the_program_and_the_ports_agree(
    deployment: str, container: int, settings: type[Any]
) -> None:
    found = pod_of(deployment)["containers"][container]

    loaded = load_settings(settings, {}, parse_flags(settings, found["args"], program="test"))

    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert (loaded.metrics_host, loaded.metrics_port) == ("$(POD_IP)", ports["metrics"])
    if "https" in ports:
        assert loaded.port == ports["https"]


def test_the_tls_folder_is_where_the_secret_is_mounted() -> None:
    (webhook,) = pod_of("stowplan-webhook")["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in webhook["volumeMounts"]}

    assert f"--tls-dir={mounts['tls']}" in webhook["args"]
