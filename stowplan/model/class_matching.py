"""Resolves the class of a pod: its label, else the namespace's default, else `standard`. Exactly one, and never an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stowplan.model.builtin_classes import BUILTIN_CLASSES, DEFAULT_CLASS
from stowplan.model.keys import CLASS
from stowplan.model.reasons import Reason
from stowplan.model.workload_class import WorkloadClass, WorkloadPolicy

_PINNED = re.compile(r"(?P<name>.+)\.r(?P<revision>[0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Match:
    """The class, why it is not the one asked for (None where it is), and what the user should hear."""

    workload_class: WorkloadClass
    reason: Reason | None = None
    warnings: tuple[str, ...] = ()


def resolve_class(
    labels: Mapping[str, str], namespace: str, policy: WorkloadPolicy | None, classes: Mapping[str, WorkloadClass]
) -> Match:
    """The class by precedence, checked against the namespace's policy."""
    fallback, fallback_reason = _default(policy, classes)
    wanted = labels.get(CLASS, "")
    if not wanted:
        return Match(fallback, fallback_reason)
    found, warnings = _find(wanted, classes)
    if found is None:
        text = (
            f"{CLASS}={wanted} is unknown; using {fallback.label}. Known: {', '.join(sorted(classes))}. (UnknownClass)"
        )
        return Match(fallback, Reason.UNKNOWN_CLASS, (text,))
    if policy is not None and policy.allowed_classes and found.name not in policy.allowed_classes:
        text = f'{CLASS}={wanted} is not allowed in "{namespace}"; using {fallback.label}. (PolicyDowngraded)'
        return Match(fallback, Reason.POLICY_DOWNGRADED, (text,))
    return Match(found, None, warnings)


def _find(wanted: str, classes: Mapping[str, WorkloadClass]) -> tuple[WorkloadClass | None, tuple[str, ...]]:
    """The class by name or by pinned revision; only the current revision can be served."""
    if wanted in classes:
        return classes[wanted], ()
    pinned = _PINNED.fullmatch(wanted)
    if pinned is None or pinned["name"] not in classes:
        return None, ()
    found = classes[pinned["name"]]
    if int(pinned["revision"]) == found.revision:
        return found, ()
    return found, (f"{CLASS}={wanted}: that revision is not served any more; using {found.label}",)


def _default(
    policy: WorkloadPolicy | None, classes: Mapping[str, WorkloadClass]
) -> tuple[WorkloadClass, Reason | None]:
    """The namespace's default; where that is unknown, `standard` or the first allowed class, with a reason."""
    named = policy.default_class if policy is not None else ""
    if named:
        found, _ = _find(named, classes)
        if found is not None:
            return found, None
    reason = Reason.UNKNOWN_CLASS if named else None
    allowed = policy.allowed_classes if policy is not None else ()
    if allowed and DEFAULT_CLASS not in allowed:
        for name in allowed:
            if name in classes:
                return classes[name], reason
    return classes.get(DEFAULT_CLASS) or BUILTIN_CLASSES[DEFAULT_CLASS], reason
