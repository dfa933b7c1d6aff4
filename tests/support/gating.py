"""The component scheduling-gates for a sandbox, and what tests ask about gates."""

from __future__ import annotations

import json
from typing import Any

import yaml

from sandbox.control_plane import ControlPlane
from sandbox.manifests import EXTENDER_ACCOUNT, Manifest, manifests_dir
from stowplan.model.keys import GATE, GROUP, INJECT, SYSTEM_NAMESPACE, VERSION
from tests.support.bare_planes import apply

IDENTITY = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{EXTENDER_ACCOUNT}"
"""As whom the extender runs in a sandbox."""


def allow_gates(plane: ControlPlane) -> None:
    """Apply the component's objects, for the extender's own account in place of the scheduler's."""
    directory = manifests_dir() / "components" / "scheduling-gates"
    objects: list[Manifest] = []
    for name in ("rbac.yaml", "policy.yaml"):
        text = (directory / name).read_text(encoding="utf-8")
        for own, ours in (
            ("name: stowplan-scheduler,", f"name: {EXTENDER_ACCOUNT},"),
            (":stowplan-scheduler'", f":{EXTENDER_ACCOUNT}'"),
        ):
            text = text.replace(own, ours)
        objects += yaml.safe_load_all(text)
    apply(plane, objects)


def ask_for_gates(plane: ControlPlane, namespace: str) -> None:
    """Opt the namespace in, with class batch and gates."""
    policy = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "WorkloadPolicy",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"defaultClass": "batch", "scheduling": {"gate": True}},
    }
    plane.kubectl("label", "namespace", namespace, f"{INJECT}=enabled", "--overwrite")
    apply(plane, [policy])


def job(name: str, pods: int, cpu: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """A Job of pods that run until they are deleted."""
    requests = {"cpu": cpu, "memory": "64Mi"}
    container = {"name": "c", "image": "i", "resources": {"requests": requests}}
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    spec = {"parallelism": pods, "completions": pods, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def is_gated(pod: Any) -> bool:
    """Whether the pod is behind our gate."""
    return any(gate["name"] == GATE for gate in pod["spec"].get("schedulingGates") or ())


def gates_a_new_pod(plane: ControlPlane, namespace: str) -> bool:
    """Whether a pod created now would be gated (a server-side dry run)."""
    containers = [{"name": "c", "image": "i"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": containers}}
    answer = plane.kubectl_json("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    return is_gated(answer)
