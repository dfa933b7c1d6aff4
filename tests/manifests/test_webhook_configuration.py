"""The registration can neither block a pod nor reach one it must not: the rules that every mutating webhook should keep."""

import pytest

from stowplan.model import keys
from stowplan.model.reasons import Reason
from tests.support.manifest_files import Manifest, of_kind
from tests.support.pods import pod
from webhook.eligibility import skip_reason
from webhook.review import AdmissionRequest


@pytest.fixture
def webhook() -> Manifest:
    (only,) = of_kind("MutatingWebhookConfiguration")["stowplan"]["webhooks"]
    found: Manifest = only
    return found


def required(selector: Manifest) -> dict[tuple[str, str], set[str]]:
    return {(e["key"], e["operator"]): set(e["values"]) for e in selector["matchExpressions"]}


def test_a_pod_is_never_blocked_or_delayed_by_more_than_two_seconds(webhook: Manifest) -> None:
    assert (webhook["failurePolicy"], webhook["timeoutSeconds"], webhook["sideEffects"]) == ("Ignore", 2, "None")


def test_only_the_creation_of_pods_is_sent(webhook: Manifest) -> None:
    (rule,) = webhook["rules"]

    assert (rule["apiGroups"], rule["apiVersions"], rule["resources"]) == ([""], ["v1"], ["pods"])
    assert rule["operations"] == ["CREATE"]
    assert webhook["admissionReviewVersions"] == ["v1"]


def test_a_namespace_opts_in_and_system_namespaces_never_can(webhook: Manifest) -> None:
    assert required(webhook["namespaceSelector"]) == {
        (keys.INJECT, "In"): {"enabled"},
        ("kubernetes.io/metadata.name", "NotIn"): {
            "kube-system",
            "kube-node-lease",
            "kube-public",
            keys.SYSTEM_NAMESPACE,
        },
    }


def test_a_pod_can_opt_out_by_either_label(webhook: Manifest) -> None:
    # A YAML parser that reads `off` as false would let every pod through: the value has to be text.
    assert required(webhook["objectSelector"]) == {(keys.MODE, "NotIn"): {"off"}, (keys.INJECT, "NotIn"): {"disabled"}}


def test_no_expression_is_evaluated_for_each_pod(webhook: Manifest) -> None:
    # One costs the API server as much as half the call; mirror pods, which one could keep away, are left alone by the webhook.
    assert "matchConditions" not in webhook
    assert skip_reason(AdmissionRequest(pod(annotations={keys.MIRROR_POD: "x"}), "shop")) is Reason.MIRROR_POD


def test_the_bundle_is_left_to_the_rotation(webhook: Manifest) -> None:
    assert "caBundle" not in webhook["clientConfig"]
    service = webhook["clientConfig"]["service"]
    assert (service["name"], service["namespace"]) == ("stowplan-webhook", keys.SYSTEM_NAMESPACE)
    assert service["port"] in [port["port"] for port in of_kind("Service")[service["name"]]["spec"]["ports"]]
