"""The patch: a diff of the received and the decided pod, applied to the received one and checked before anybody sees it.

`failurePolicy: Ignore` does not forgive a patch that does not apply, nor a patched pod that is refused afterwards: both reject
the pod. So whatever cannot be proven here is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stowplan.model.keys import GATE, STATUS_PREFIX
from stowplan.model.resources import container_amounts
from webhook.containers import COMPUTE, LISTS
from webhook.json_patch import Operation, OperationError, apply, diff
from webhook.limit_range import LimitRange, violations
from webhook.qos import QoS, qos_of
from webhook.quota import Quota, quota_violations

_SCHEDULING: Final = (
    "priorityClassName",
    "priority",
    "preemptionPolicy",
    "schedulerName",
    "topologySpreadConstraints",
)
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


class PatchError(Exception):
    """Our own patch would not do what was decided; the text says which check failed."""


def make_patch(received: Mapping[str, Any], decided: Mapping[str, Any], *, sound: bool = False) -> list[Operation]:
    """The operations from the received to the decided pod.

    Args:
        received: as the API server sent it.
        decided: as it is to become.
        sound: whether `check_pod` has found nothing between the two already, output annotations aside.

    Raises:
        PatchError: they do not apply, do not give the decided pod, or the decided pod is not sound.
    """
    operations = list(diff(received, decided))
    if not operations:
        return []
    try:
        patched = apply(received, operations)
    except OperationError as error:
        raise PatchError(f"the patch does not apply: {error}") from error
    if patched != decided:
        raise PatchError("the patch does not give the decided pod")
    problems = [] if sound else check_pod(received, decided)
    if problems:
        raise PatchError("; ".join(problems))
    return operations


def check_pod(
    received: Mapping[str, Any],
    decided: Mapping[str, Any],
    ranges: tuple[LimitRange, ...] = (),
    quotas: tuple[Quota, ...] = (),
) -> list[str]:
    """What is wrong with the decided pod that was not wrong with the received one; empty is sound."""
    before, after = received["spec"], decided["spec"]
    problems = sorted(
        (_requests_above_limits(after) - _requests_above_limits(before))
        | (violations(after, ranges) - violations(before, ranges))
        | (quota_violations(after, quotas) - quota_violations(before, quotas))
    )
    least = qos_of(before)
    if least is not QoS.BEST_EFFORT and qos_of(after) < least:
        problems.append("QoS class lowered")
    if _untouchable(received) != _untouchable(decided):
        problems.append("something outside sizes, scheduling and status was changed")
    return problems


def _requests_above_limits(spec: Mapping[str, Any]) -> set[str]:
    found = set()
    for list_name in LISTS:
        for container in spec.get(list_name) or ():
            limits = container_amounts(container, "limits")
            requests = container_amounts(container)
            found |= {f"{container['name']}: {r} request above limit" for r in limits if requests.get(r, 0) > limits[r]}
    return found


def _untouchable(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The pod without everything that stowplan may change."""
    rest = dict(pod)
    metadata = dict(pod.get("metadata") or {})
    for block in ("annotations", "labels"):
        kept = {k: v for k, v in (metadata.pop(block, None) or {}).items() if not k.startswith(STATUS_PREFIX)}
        metadata[block] = kept
    spec = {key: value for key, value in pod["spec"].items() if key not in _SCHEDULING}
    for list_name in LISTS:
        spec[list_name] = [_without_sizes(c) for c in spec.get(list_name) or ()]
    spec["affinity"] = _without_preferences(spec.get("affinity") or {})
    spec["schedulingGates"] = [gate for gate in spec.get("schedulingGates") or () if gate.get("name") != GATE]
    rest["metadata"], rest["spec"] = metadata, spec
    return rest


def _without_sizes(container: Mapping[str, Any]) -> dict[str, Any]:
    resources = dict(container.get("resources") or {})
    for kind in ("requests", "limits"):
        kept = {k: v for k, v in (resources.pop(kind, None) or {}).items() if k not in COMPUTE}
        if kept:
            resources[kind] = kept
    return {**container, "resources": resources}


def _without_preferences(affinity: Mapping[str, Any]) -> dict[str, Any]:
    """Affinity without the preferred terms on the capacity type (a pod's own such term switches ours off)."""
    nodes = dict(affinity.get("nodeAffinity") or {})
    kept = [term for term in nodes.pop(_PREFERRED, None) or () if "karpenter.sh/capacity-type" not in str(term)]
    if kept:
        nodes[_PREFERRED] = kept
    rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    return {**rest, "nodeAffinity": nodes} if nodes else rest
