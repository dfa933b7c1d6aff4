"""Writes a decision into a pod that `writable` gave; nothing that the user wrote is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stowplan.model.keys import GATE, SCHEDULER_NAME
from stowplan.model.quantity import format_amount
from webhook.containers import LISTS, Container
from webhook.gating import Gate
from webhook.json_patch import copy_json
from webhook.limits import NO_LIMIT
from webhook.scheduling import Effects
from webhook.sizing import Sizing

_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def writable(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A pod to write a decision into: every part that the functions below change is its own, all others are shared with `pod`.

    A deep copy of a pod with three containers costs as much as deciding about it.
    """
    spec = dict(pod["spec"])
    for list_name in LISTS:
        if spec.get(list_name):
            spec[list_name] = [_own(raw, "resources", "requests", "limits") for raw in spec[list_name]]
    if isinstance(spec.get("affinity"), dict):
        spec["affinity"] = _own(spec["affinity"], "nodeAffinity")
    metadata = pod.get("metadata")
    return {**pod, "metadata": _own(metadata, "annotations") if isinstance(metadata, dict) else {}, "spec": spec}


def _own(parent: Mapping[str, Any], name: str, *below: str) -> dict[str, Any]:
    """A copy of `parent`, of the object `name` in it, and of those that are named in that one."""
    copied = dict(parent)
    child = copied.get(name)
    if isinstance(child, dict):
        copied[name] = {key: dict(v) if key in below and isinstance(v, dict) else v for key, v in child.items()}
    return copied


def apply_sizes(pod: dict[str, Any], sizings: Sequence[Sizing]) -> None:
    """Set requests and limits; an amount that is there already keeps its notation."""
    for sizing in sizings:
        container = sizing.container
        if not sizing.changes:
            continue
        raw = pod["spec"][container.list_name][container.index]
        resources = _child(raw, "resources")
        for resource, amount in sizing.requests.items():
            if _differs(container, "requests", resource, amount):
                _child(resources, "requests")[resource] = format_amount(resource, amount)
        for resource, amount in sizing.limits.items():
            if amount == NO_LIMIT:
                _child(resources, "limits").pop(resource, None)
            elif _differs(container, "limits", resource, amount):
                _child(resources, "limits")[resource] = format_amount(resource, amount)


def apply_effects(spec: dict[str, Any], effects: Effects) -> None:
    """Set priority, scheduler, scheduling gate, spread and the preferred capacity type."""
    if effects.priority is not None:
        spec["priorityClassName"] = effects.priority.name
        spec["priority"] = effects.priority.value
        spec["preemptionPolicy"] = effects.priority.preemption_policy
    if effects.scheduler:
        spec["schedulerName"] = SCHEDULER_NAME
    if effects.gate is Gate.ADDED:
        spec["schedulingGates"] = [{"name": GATE}]
    if effects.spread:
        spec["topologySpreadConstraints"] = copy_json([dict(constraint) for constraint in effects.spread])
    if effects.capacity:
        nodes = _child(_child(spec, "affinity"), "nodeAffinity")
        nodes[_PREFERRED] = [*(nodes.get(_PREFERRED) or ()), *(copy_json(dict(term)) for term in effects.capacity)]


def write_output(pod: dict[str, Any], output: Mapping[str, str]) -> None:
    """Write the output annotations."""
    _child(_child(pod, "metadata"), "annotations").update(output)


def _differs(container: Container, kind: str, resource: str, amount: int) -> bool:
    block = container.requests if kind == "requests" else container.limits
    return block.get(resource) != amount


def _child(parent: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(parent.get(key), dict):
        parent[key] = {}
    child: dict[str, Any] = parent[key]
    return child
