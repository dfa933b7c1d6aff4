"""The manifests of stowplan as a sandbox needs them: the same files as for a cluster, without what only a kubelet could run.

The services run as processes of the sandbox, so Deployments and what belongs to them are left out, and the webhook is called by URL.
"""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.control_plane import ControlPlane
from sandbox.errors import SandboxError
from stowplan.model.keys import SYSTEM_NAMESPACE

Manifest = dict[str, Any]

EXTENDER_ACCOUNT: Final = "stowplan-extender"
"""In a pod the extender shares the scheduler's identity; here it gets one with its own role and nothing else."""
_FOR_PODS_ONLY: Final = frozenset({"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"})
_WEBHOOK_CONFIGURATION: Final = "MutatingWebhookConfiguration"


def manifests_dir() -> Path:
    """The directory `manifests/` beside this package.

    Raises:
        SandboxError: it is not there, as in an installed wheel.
    """
    directory = Path(__file__).resolve().parent.parent / "manifests"
    if not (directory / "base" / "kustomization.yaml").is_file():
        raise SandboxError(f"{directory}: there are no manifests here; run from a checkout of the repository")
    return directory


def render(control_plane: ControlPlane, kustomization: str) -> list[Manifest]:
    """The objects of `manifests/KUSTOMIZATION`, as kubectl renders them.

    Raises:
        SandboxError: kubectl refuses it.
    """
    text = control_plane.kubectl("kustomize", str(manifests_dir() / kustomization))
    return [document for document in yaml.safe_load_all(text) if document]


def for_sandbox(manifests: Iterable[Manifest]) -> list[Manifest]:
    """What a sandbox can use: without the objects of pods that nothing runs, and without the webhook configuration.

    The extender gets a service account of its own, bound to its role alone.
    """
    kept = [m for m in manifests if m["kind"] not in {*_FOR_PODS_ONLY, _WEBHOOK_CONFIGURATION}]
    account = {"kind": "ServiceAccount", "name": EXTENDER_ACCOUNT, "namespace": SYSTEM_NAMESPACE}
    metadata = {"name": EXTENDER_ACCOUNT, "namespace": SYSTEM_NAMESPACE}
    bound = [
        {**m, "subjects": [account]}
        if (m["kind"], m["metadata"]["name"]) == ("ClusterRoleBinding", EXTENDER_ACCOUNT)
        else m
        for m in kept
    ]
    return [*bound, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}]


def webhook_configuration(manifests: Iterable[Manifest], url: str, ca_bundle: bytes) -> Manifest:
    """The webhook configuration, calling a URL in place of a Service.

    Args:
        manifests: of the base.
        url: scheme, host and port of the webhook; the path is kept.
        ca_bundle: PEM of the CA that signed the webhook's certificate.

    Raises:
        SandboxError: there is no webhook configuration among the manifests.
    """
    found = next((m for m in manifests if m["kind"] == _WEBHOOK_CONFIGURATION), None)
    if found is None:
        raise SandboxError("the manifests hold no MutatingWebhookConfiguration; look at manifests/base")
    webhooks = [{**webhook, "clientConfig": _client_config(webhook, url, ca_bundle)} for webhook in found["webhooks"]]
    return {**found, "webhooks": webhooks}


def _client_config(webhook: Mapping[str, Any], url: str, ca_bundle: bytes) -> dict[str, str]:
    path = webhook["clientConfig"]["service"].get("path", "")
    return {"url": f"{url}{path}", "caBundle": base64.b64encode(ca_bundle).decode("ascii")}
