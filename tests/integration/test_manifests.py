"""The real API server accepts every manifest, says what is wrong with a bad class, and gives each identity what it needs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from sandbox.install import service_account
from sandbox.manifests import Manifest, manifests_dir, render
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import parse_workload_class
from tests.support.bare_planes import apply, own_control_plane
from tests.support.openapi import schema_errors

NS = "stowplan-system"
GATES_OVERLAY = {"resources": "base", "components": "components/scheduling-gates"}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Without nodes; the CRDs and the base are applied, but for what would call a webhook that is not there."""
    with own_control_plane(tmp_path_factory, "manifests", runs_pods=False) as running:
        running.kubectl("apply", "-k", str(manifests_dir() / "crds"))
        running.kubectl("wait", "--for=condition=Established", "--all", "crd", "--timeout=180s")
        apply(running, [m for m in render(running, "base") if m["kind"] != "MutatingWebhookConfiguration"])
        yield running


@pytest.mark.parametrize("kustomization", ["crds", "base", "overlays/kind"])
def test_the_api_server_accepts_every_object_and_every_field(plane: ControlPlane, kustomization: str) -> None:
    objects = render(plane, kustomization)

    answer = apply(plane, objects, "--dry-run=server", "--force-conflicts", "--field-manager=test")

    assert len(answer.splitlines()) == len(objects)


@pytest.mark.parametrize("kustomization", ["crds", "base", "overlays/kind"])
def test_every_object_has_the_published_schema(plane: ControlPlane, kustomization: str) -> None:
    assert schema_errors(plane, render(plane, kustomization)) == []


def test_the_schema_check_finds_unknown_fields_and_wrong_types(plane: ControlPlane) -> None:
    (service,) = [
        m for m in render(plane, "base") if (m["kind"], m["metadata"]["name"]) == ("Service", "stowplan-webhook")
    ]
    service["spec"]["prots"] = []
    service["spec"]["ports"][0]["port"] = "https"

    errors = schema_errors(plane, [service])

    assert len(errors) == 2
    assert any("'prots' was unexpected" in error for error in errors)
    assert any("$.spec.ports[0].port: 'https' is not of type 'integer'" in error for error in errors)


def test_the_network_policies_are_a_component_for_whoever_wants_them(plane: ControlPlane) -> None:
    policies = manifests_dir() / "components" / "network-policies" / "policies.yaml"

    answer = apply(plane, list(yaml.safe_load_all(policies.read_text(encoding="utf-8"))), "--dry-run=server")

    assert answer.count("serverside-applied") == 3


def test_the_component_of_the_gates_goes_with_the_base(plane: ControlPlane, tmp_path: Path) -> None:
    """As an overlay of one's own would name it."""
    parts = {kind: os.path.relpath(manifests_dir() / path, tmp_path) for kind, path in GATES_OVERLAY.items()}
    overlay = {"kind": "Kustomization", **{kind: [path] for kind, path in parts.items()}}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    objects = [m for m in yaml.safe_load_all(plane.kubectl("kustomize", str(tmp_path))) if m]

    answer = apply(plane, objects, "--dry-run=server", "--force-conflicts", "--field-manager=test")

    assert len(answer.splitlines()) == len(objects)
    assert schema_errors(plane, objects) == []
    (scheduler,) = [m for m in objects if (m["kind"], m["metadata"]["name"]) == ("Deployment", "stowplan-scheduler")]
    args = {c["name"]: c.get("args") or [] for c in scheduler["spec"]["template"]["spec"]["containers"]}
    assert "--gates=true" in args["extender"]
    assert "--gates=true" not in args["kube-scheduler"]


def test_an_overlay_names_the_images_of_kind(plane: ControlPlane) -> None:
    deployments = [m for m in render(plane, "overlays/kind") if m["kind"] == "Deployment"]
    containers = [c for m in deployments for c in m["spec"]["template"]["spec"]["containers"]]

    assert {c["imagePullPolicy"] for c in containers} == {"IfNotPresent"}
    assert {c["image"] for c in containers if c["name"] != "kube-scheduler"} == {"docker.io/library/stowplan:dev"}


@pytest.mark.parametrize("name", ["stowplan-webhook", "stowplan-rotation", "stowplan-scheduler"])
def test_the_pods_pass_the_restricted_pod_security_standard_and_the_quota(plane: ControlPlane, name: str) -> None:
    (deployment,) = [m for m in render(plane, "base") if (m["kind"], m["metadata"]["name"]) == ("Deployment", name)]
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "probe", "namespace": NS}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    created = plane.kubectl_json("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    assert created["spec"]["priority"] == 2_000_000_000  # system-cluster-critical


def test_a_pod_that_is_not_restricted_is_refused_in_our_namespace(plane: ControlPlane) -> None:
    spec = {"containers": [{"name": "app", "image": "x", "securityContext": {"privileged": True}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": NS}, "spec": spec}

    with pytest.raises(SandboxError, match='violates PodSecurity "restricted:latest"'):
        plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def test_a_change_of_the_scheduler_configuration_rolls_the_schedulers(plane: ControlPlane) -> None:
    base = render(plane, "base")
    (configuration,) = [m["metadata"]["name"] for m in base if m["kind"] == "ConfigMap"]
    (scheduler,) = [m for m in base if m["kind"] == "Deployment" and m["metadata"]["name"] == "stowplan-scheduler"]

    assert configuration.startswith("stowplan-scheduler-configuration-")  # and a hash of the content
    assert {"configMap": {"name": configuration}}.items() <= scheduler["spec"]["template"]["spec"]["volumes"][0].items()


def test_the_shipped_classes_come_back_from_the_api_server_as_they_are(plane: ControlPlane) -> None:
    listed = plane.kubectl_json("get", "wc")["items"]

    assert {m["metadata"]["name"]: parse_workload_class(m, strict=False) for m in listed} == BUILTIN_CLASSES


def test_the_api_server_fills_in_the_defaults_of_the_codec(plane: ControlPlane) -> None:
    stored = plane.kubectl_json("create", "--dry-run=server", "-f", "-", stdin=json.dumps(a_class({})))

    assert parse_workload_class(stored) == parse_workload_class(a_class({}))


def a_class(spec: dict[str, Any], name: str = "gold") -> Manifest:
    return {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadClass", "metadata": {"name": name}, "spec": spec}


def a_policy(spec: dict[str, Any], name: str = "default") -> Manifest:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadPolicy", "metadata": metadata, "spec": spec}


ON_DEMAND = {"capacity": [{"type": "on-demand", "weight": 100}]}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (a_class({}, name="gold.r7"), "a dot is kept for revision pins"),
        (a_class({"replacedBy": "gold"}), "a class cannot replace itself"),
        (a_class({"lifecycle": "deprecated"}), "must name its successor in replacedBy"),
        (a_class({"tier": 0, "cost": "save", "scheduling": ON_DEMAND}), "cost save contradicts tier 0"),
        (a_class({"tier": 0}), "capacity spot contradicts tier 0"),
        (a_class({"tier": 3, "latency": "tight"}), "latency tight contradicts tier 3"),
        (
            a_class({"sizing": {"limits": {"cpuPercent": 50}}}),
            "spec.sizing.limits.cpuPercent: .* must be 0 \\(no limit\\)",
        ),
        (
            a_class({"sizing": {"limits": {"memoryPercent": 50}}}),
            "memoryPercent must be 0 \\(no limit\\) or 100 and more",
        ),
        (a_class({"sizing": {"bounds": {"cpuMin": 0}}}), "cpuMin and memoryMin must be more than zero"),
        (a_class({"sizing": {"bounds": {"cpuMin": 17}}}), "cpuMin must not exceed cpuMax"),
        (a_class({"sizing": {"bounds": {"memoryMax": "63Mi"}}}), "memoryMin must not exceed memoryMax"),
        (a_class({"sizing": {"bounds": {"cpuMax": "4 cores"}}}), "spec.sizing.bounds.cpuMax in body should match"),
        (
            a_class({"scheduling": {"weights": {"pack": 1, "cost": 2, "latency": 3, "spread": 4}}}),
            "pack \\+ cost \\+ latency \\+ spread must sum to 100",
        ),
        (a_class({"rollout": {"mode": "Canary"}}), "percent is needed with mode Canary, and only there"),
        (a_class({"rollout": {"percent": 25}}), "percent is needed with mode Canary, and only there"),
        (a_class({"latency": "quick"}), 'Unsupported value: "quick": supported values: "tight", "normal", "relaxed"'),
        (a_class({"scheduling": {"capacity": [{"type": "spot", "weight": 1}] * 2}}), "Duplicate value"),
        (a_policy({}, name="other"), "a namespace has one WorkloadPolicy, and its name is default"),
        (a_policy({"defaultClass": "gold", "allowedClasses": ["dev"]}), "defaultClass must be one of allowedClasses"),
        (a_policy({"defaultClass": "gold.r2"}), "spec.defaultClass in body should match"),
        (a_policy({"max": {"cpuPerPod": 0}}), "cpuPerPod must be more than zero"),
        (a_policy({"max": {"memoryPerPod": "0"}}), "memoryPerPod must be more than zero"),
        (a_policy({"rollout": {"mode": "Canary"}}), "percent is needed with mode Canary, and only there"),
        (a_policy({"rollout": {"percent": 25}}), "percent is needed with mode Canary, and only there"),
        (a_policy({"scheduling": {"gate": "yes"}}), "spec.scheduling.gate: Invalid value: .*boolean"),
        (a_policy({"rollout": {"mode": "Halt"}}), 'Unsupported value: "Halt"'),
        (a_policy({"hpa": "follow"}), 'Unsupported value: "follow"'),
        (a_class({"sizing": {"cpu": {"percentil": 50}}}), 'unknown field "spec.sizing.cpu.percentil"'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_bad_object_is_refused_with_a_sentence(plane: ControlPlane, obj: Manifest, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(obj))


def test_a_profile_cannot_change_its_workload(plane: ControlPlane) -> None:
    metadata = {"name": "deployment-web", "namespace": "default"}
    head = {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadProfile", "metadata": metadata}
    apply(plane, [{**head, "spec": {"targetRef": {"kind": "Deployment", "name": "web"}}}])

    with pytest.raises(SandboxError, match="targetRef cannot be changed"):
        apply(plane, [{**head, "spec": {"targetRef": {"kind": "Deployment", "name": "other"}}}])


MAY = [
    *[("stowplan-webhook", "watch", r, "") for r in ("workloadclasses.stowplan.dev", "workloadpolicies.stowplan.dev")],
    *[
        ("stowplan-webhook", verb, r, "")
        for verb in ("get", "list", "watch")
        for r in (
            "workloadprofiles.stowplan.dev",
            "horizontalpodautoscalers.autoscaling",
            "verticalpodautoscalers.autoscaling.k8s.io",
        )
    ],
    *[("stowplan-webhook", "list", r, "") for r in ("limitranges", "resourcequotas", "nodes", "replicasets.apps")],
    *[
        ("stowplan-webhook", "list", r, "")
        for r in ("statefulsets.apps", "jobs.batch", "priorityclasses.scheduling.k8s.io")
    ],
    *[
        ("stowplan-webhook", verb, "leases.coordination.k8s.io/stowplan-scheduler", NS)
        for verb in ("get", "list", "watch")
    ],
    *[("stowplan-rotation", verb, "secrets/stowplan-ca", NS) for verb in ("get", "update")],
    *[("stowplan-rotation", verb, "secrets/stowplan-webhook-tls", NS) for verb in ("get", "update")],
    ("stowplan-rotation", "create", "secrets", NS),
    ("stowplan-rotation", "get", "mutatingwebhookconfigurations.admissionregistration.k8s.io/stowplan", ""),
    ("stowplan-rotation", "patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io/stowplan", ""),
    ("stowplan-scheduler", "create", "pods/binding", "default"),
    ("stowplan-scheduler", "create", "leases.coordination.k8s.io", NS),
    ("stowplan-scheduler", "update", "leases.coordination.k8s.io/stowplan-scheduler", NS),
    ("stowplan-scheduler", "update", "persistentvolumeclaims", "default"),
    *[("stowplan-scheduler", "watch", r, "") for r in ("pods", "nodes", "namespaces", "workloadclasses.stowplan.dev")],
    *[
        ("stowplan-scheduler", verb, r, "")
        for verb in ("list", "watch")
        for r in ("replicasets.apps", "statefulsets.apps", "jobs.batch")
    ],
]
MAY_NOT = [
    *[("stowplan-webhook", verb, "secrets", NS) for verb in ("get", "list", "watch", "create")],
    ("stowplan-webhook", "get", "secrets/stowplan-ca", NS),
    ("stowplan-webhook", "list", "pods", ""),
    ("stowplan-webhook", "patch", "workloadclasses.stowplan.dev", ""),
    ("stowplan-webhook", "patch", "workloadprofiles.stowplan.dev", ""),
    ("stowplan-webhook", "update", "horizontalpodautoscalers.autoscaling", ""),
    ("stowplan-webhook", "delete", "verticalpodautoscalers.autoscaling.k8s.io", ""),
    ("stowplan-webhook", "list", "leases.coordination.k8s.io", NS),
    ("stowplan-webhook", "update", "leases.coordination.k8s.io/stowplan-scheduler", NS),
    ("stowplan-webhook", "get", "mutatingwebhookconfigurations.admissionregistration.k8s.io/stowplan", ""),
    ("stowplan-rotation", "get", "secrets/another", NS),
    ("stowplan-rotation", "list", "secrets", NS),
    ("stowplan-rotation", "get", "secrets/stowplan-ca", "default"),
    ("stowplan-rotation", "delete", "secrets/stowplan-ca", NS),
    ("stowplan-rotation", "patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io/another", ""),
    ("stowplan-rotation", "delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io/stowplan", ""),
    ("stowplan-rotation", "list", "pods", ""),
    ("stowplan-scheduler", "get", "secrets/stowplan-ca", NS),
    ("stowplan-scheduler", "update", "leases.coordination.k8s.io/stowplan-scheduler", "default"),
    ("stowplan-scheduler", "update", "leases.coordination.k8s.io/other", NS),
    ("stowplan-scheduler", "update", "workloadclasses.stowplan.dev", ""),
    ("stowplan-scheduler", "get", "jobs.batch", ""),
    ("stowplan-scheduler", "update", "replicasets.apps", ""),
]


def allowed(plane: ControlPlane, account: str, verb: str, what: str, namespace: str) -> bool:
    """Ask the API server. `what` is RESOURCE[.GROUP][/NAME], or pods/binding."""
    resource, _, name = what.partition("/")
    plural, _, group = resource.partition(".")
    attributes = {"verb": verb, "resource": plural, "group": group, "namespace": namespace}
    attributes |= {"subresource": name} if name == "binding" else {"name": name}
    user, groups = service_account(account)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": [*groups, "system:authenticated"], "resourceAttributes": attributes},
    }
    answer = plane.kubectl_json("create", "-f", "-", stdin=json.dumps(review))
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), MAY)
def test_an_identity_may(plane: ControlPlane, account: str, verb: str, what: str, namespace: str) -> None:
    assert allowed(plane, account, verb, what, namespace)


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), MAY_NOT)
def test_an_identity_may_not(plane: ControlPlane, account: str, verb: str, what: str, namespace: str) -> None:
    assert not allowed(plane, account, verb, what, namespace)
