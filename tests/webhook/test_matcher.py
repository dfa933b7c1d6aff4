"""Resolving the class."""

from dataclasses import replace

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import CLASS
from stowplan.model.reasons import Reason
from stowplan.model.workload_class import WorkloadPolicy
from webhook.matcher import resolve_class

_CLASSES = {**BUILTIN_CLASSES, "standard": replace(BUILTIN_CLASSES["standard"], revision=7)}


@pytest.mark.parametrize(
    ("label", "policy", "expected", "reason", "warned"),
    [
        ("", None, "standard.r7", None, False),
        ("batch", None, "batch.r1", None, False),
        ("", WorkloadPolicy("shop", "elastic"), "elastic.r1", None, False),
        ("dev", WorkloadPolicy("shop", "elastic"), "dev.r1", None, False),  # the pod's label wins
        ("standard.r7", None, "standard.r7", None, False),
        ("standard.r3", None, "standard.r7", None, True),  # only the current revision is served
        ("nonsense", None, "standard.r7", Reason.UNKNOWN_CLASS, True),
        ("nonsense.r1", None, "standard.r7", Reason.UNKNOWN_CLASS, True),
        ("nonsense", WorkloadPolicy("shop", "batch"), "batch.r1", Reason.UNKNOWN_CLASS, True),
        ("critical", WorkloadPolicy("shop", "batch", ("batch", "elastic")), "batch.r1", Reason.POLICY_DOWNGRADED, True),
        ("critical", WorkloadPolicy("shop", "", ("elastic",)), "elastic.r1", Reason.POLICY_DOWNGRADED, True),
        ("critical", WorkloadPolicy("shop", "", ("standard",)), "standard.r7", Reason.POLICY_DOWNGRADED, True),
        ("", WorkloadPolicy("shop", "gone"), "standard.r7", Reason.UNKNOWN_CLASS, False),
    ],
)
def test_precedence(
    label: str, policy: WorkloadPolicy | None, expected: str, reason: Reason | None, *, warned: bool
) -> None:
    match = resolve_class({CLASS: label} if label else {}, "shop", policy, _CLASSES)

    assert (match.workload_class.label, match.reason, bool(match.warnings)) == (expected, reason, warned)


def test_a_downgrade_is_explained_in_one_line() -> None:
    policy = WorkloadPolicy("payments", "standard", ("standard", "batch"))

    match = resolve_class({CLASS: "critical"}, "payments", policy, _CLASSES)

    assert match.warnings == (
        'stowplan.dev/class=critical is not allowed in "payments"; using standard.r7. (PolicyDowngraded)',
    )


def test_an_admin_who_removed_every_class_still_gets_standard() -> None:
    assert resolve_class({}, "shop", None, {}).workload_class == BUILTIN_CLASSES["standard"]
