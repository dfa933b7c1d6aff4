"""The cluster's manifests as a sandbox needs them: nothing that only a kubelet could run, and the webhook by URL."""

import base64
from pathlib import Path

import pytest

import sandbox.manifests
from sandbox.errors import SandboxError
from sandbox.manifests import for_sandbox, manifests_dir, webhook_configuration
from tests.support.manifest_files import ROOT, documents


def test_the_manifests_are_those_of_the_repository() -> None:
    assert manifests_dir() == ROOT


def test_without_a_checkout_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.manifests, "__file__", str(tmp_path / "sandbox" / "manifests.py"))

    with pytest.raises(SandboxError, match="run from a checkout of the repository"):
        manifests_dir()


def test_classes_roles_and_accounts_stay_and_pods_go() -> None:
    base = documents("base")

    kinds = {m["kind"] for m in for_sandbox(base)}

    assert {"Namespace", "PriorityClass", "WorkloadClass", "ClusterRole", "Role", "ServiceAccount"} <= kinds
    assert not kinds & {"Deployment", "Service", "PodDisruptionBudget", "MutatingWebhookConfiguration"}


def test_the_extender_gets_its_own_role_and_nothing_else() -> None:
    bindings = [m for m in for_sandbox(documents("base")) if m["kind"] in ("ClusterRoleBinding", "RoleBinding")]

    bound = {m["metadata"]["name"] for m in bindings if "stowplan-extender" in [s["name"] for s in m["subjects"]]}
    assert bound == {"stowplan-extender"}


def test_the_webhook_is_called_by_url_and_all_else_stays() -> None:
    base = documents("base")
    (original,) = [m for m in base if m["kind"] == "MutatingWebhookConfiguration"]

    (webhook,) = webhook_configuration(base, "https://127.0.0.1:9", b"PEM")["webhooks"]

    assert webhook["clientConfig"] == {
        "url": "https://127.0.0.1:9/mutate",
        "caBundle": base64.b64encode(b"PEM").decode(),
    }
    assert {**webhook, "clientConfig": None} == {**original["webhooks"][0], "clientConfig": None}


def test_manifests_without_a_registration_are_an_error() -> None:
    with pytest.raises(SandboxError, match="no MutatingWebhookConfiguration"):
        webhook_configuration([], "https://127.0.0.1:9", b"")
