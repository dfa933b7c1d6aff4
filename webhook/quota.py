"""ResourceQuota: what a pod would violate, as the quota admission plugin counts it (kubernetes 1.36, `pkg/quota/v1`).

Our view of `used` may be a moment old: then the API server refuses the pod, its controller retries, and by then we know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stowplan.model.quantity import QuantityError, parse_amount
from stowplan.model.resources import Amounts, container_amounts, effective_requests
from webhook.containers import COMPUTE, LISTS
from webhook.qos import QoS, qos_of


@dataclass(frozen=True, slots=True)
class Scope:
    """One requirement of `scopes` or of `scopeSelector`."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota; amounts of CPU in millicores, by the quota's own names (`requests.cpu`)."""

    name: str
    hard: Amounts
    used: Amounts = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()


_KEYS: Final = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    **{f"{kind}.{r}": (kind, r) for kind in ("requests", "limits") for r in COMPUTE},
}


def parse_quota(obj: Mapping[str, Any]) -> Quota:
    """A ResourceQuota of the API; only what a pod's CPU, memory and count can violate is kept. Raises QuantityError."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    selector = spec.get("scopeSelector") or {}
    scopes = [Scope(name) for name in spec.get("scopes") or ()]
    scopes += [
        Scope(e["scopeName"], e["operator"], tuple(e.get("values") or ()))
        for e in selector.get("matchExpressions") or ()
    ]
    return Quota(
        name=(obj.get("metadata") or {}).get("name", ""),
        hard=_amounts(status.get("hard") or spec.get("hard") or {}),
        used=_amounts(status.get("used") or {}),
        scopes=tuple(scopes),
    )


def _amounts(block: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: parse_amount("cpu" if name.endswith("cpu") else name, value)
        for name, value in block.items()
        if name in _KEYS or name == "pods"
    }


def limits_counted(quotas: Iterable[Quota]) -> frozenset[str]:
    """Resources whose limits some quota counts, so that every container needs one."""
    return frozenset(r for quota in quotas for r in COMPUTE if f"limits.{r}" in quota.hard)


def quota_violations(spec: Mapping[str, Any], quotas: Iterable[Quota]) -> set[str]:
    """What the quotas would refuse, one stable text for each; empty is admitted."""
    found: set[str] = set()
    for quota in quotas:
        if all(_matches(scope, spec) for scope in quota.scopes):
            found |= _exceeded(spec, quota)
            if not spec.get("resources"):
                found |= _unspecified(spec, quota)
    return found


def _exceeded(spec: Mapping[str, Any], quota: Quota) -> set[str]:
    amounts = {"requests": effective_requests(spec), "limits": effective_requests(spec, "limits")}
    found = set()
    for name, hard in quota.hard.items():
        kind, resource = _KEYS.get(name, ("", ""))
        asked = 1 if name == "pods" else amounts[kind].get(resource, 0)
        if asked and quota.used.get(name, 0) + asked > hard:
            found.add(f"{quota.name}: {name} exceeded")
    return found


def _unspecified(spec: Mapping[str, Any], quota: Quota) -> set[str]:
    """A quota on CPU or memory demands the number from every container."""
    found = set()
    for list_name in LISTS:
        for container in spec.get(list_name) or ():
            amounts = {"requests": container_amounts(container), "limits": container_amounts(container, "limits")}
            for name in quota.hard:
                kind, resource = _KEYS.get(name, ("", ""))
                if kind and resource not in amounts[kind]:
                    found.add(f"{quota.name}: {container['name']} must specify {name}")
    return found


def _matches(scope: Scope, spec: Mapping[str, Any]) -> bool:
    match scope.name:
        case "Terminating":
            return _terminating(spec)
        case "NotTerminating":
            return not _terminating(spec)
        case "BestEffort":
            return qos_of(spec) is QoS.BEST_EFFORT
        case "NotBestEffort":
            return qos_of(spec) is not QoS.BEST_EFFORT
        case "PriorityClass":
            return _priority_matches(scope, spec.get("priorityClassName") or "")
        case _:  # CrossNamespacePodAffinity and whatever comes later: nothing that we change decides it
            return False


def _priority_matches(scope: Scope, name: str) -> bool:
    match scope.operator:
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in scope.values
        case "NotIn":
            return name not in scope.values
        case _:
            return False


def _terminating(spec: Mapping[str, Any]) -> bool:
    seconds = spec.get("activeDeadlineSeconds")
    return isinstance(seconds, int) and seconds >= 0


__all__ = ["QuantityError", "Quota", "Scope", "limits_counted", "parse_quota", "quota_violations"]
