"""The component scheduling-gates asks for no more than it needs."""

from stowplan.model.keys import GATE, GATE_LEASE
from tests.support.manifest_files import of_kind

COMPONENT = "components/scheduling-gates"


def test_the_extender_may_patch_pods_and_its_own_lease_and_nothing_else() -> None:
    rules = [
        *of_kind("ClusterRole", COMPONENT)[GATE_LEASE]["rules"],
        *of_kind("Role", COMPONENT)[GATE_LEASE]["rules"],
    ]

    assert rules == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [GATE_LEASE],
            "verbs": ["create", "patch"],
        },
    ]


def test_the_policy_is_bound_to_deny_and_speaks_of_our_gate() -> None:
    policy = of_kind("ValidatingAdmissionPolicy", COMPONENT)[GATE_LEASE]["spec"]
    binding = of_kind("ValidatingAdmissionPolicyBinding", COMPONENT)[GATE_LEASE]["spec"]

    assert binding == {"policyName": GATE_LEASE, "validationActions": ["Deny"]}
    assert all(f"gate {GATE}" in rule["message"] for rule in policy["validations"])
    assert policy["failurePolicy"] == "Ignore"


def test_the_webhook_reads_the_lease_in_the_base() -> None:
    (rule,) = of_kind("Role")["stowplan-webhook"]["rules"]

    assert rule["resourceNames"] == ["stowplan-scheduler", GATE_LEASE]
    assert rule["verbs"] == ["get", "list", "watch"]
