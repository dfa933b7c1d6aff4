"""A pod that carries our output keys: takes an earlier decision of ours back out, or drops what a user wrote there.

The API server may call again when another webhook changed the pod. What still equals our record is ours and is put back
to what the user sent, so that the decision is made again on the same ground; an equal result is an empty patch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stowplan.model.keys import CAPACITY_TYPE, DECISION, GATE, SCHEDULER_NAME, STATUS_PREFIX
from stowplan.model.quantity import QuantityError, parse_amount
from webhook.containers import COMPUTE, LISTS, annotations_of, labels_of, read_containers
from webhook.decision import OBSERVE, current_sizes, decision_id, fingerprint, sizes_of
from webhook.json_patch import copy_json
from webhook.workload import Workload

_MAX_TEXT: Final = 8192
_PRIORITY: Final = ("priorityClassName", "priority", "preemptionPolicy")


@dataclass(frozen=True, slots=True)
class Restored:
    """The pod as the user sent it, as far as we can know."""

    pod: Mapping[str, Any]
    """Without output keys. To be read only: where there was nothing to take out it is the received pod itself."""
    warnings: tuple[str, ...] = ()
    final: bool = False
    """A decision of ours stands whose details were too long to record: it must be left as it is."""


def restore(pod: Mapping[str, Any], workload: Workload) -> Restored:
    """Take our earlier decision back, or drop user writes to output keys with a warning. Raises PodError."""
    annotations, labels = annotations_of(pod), labels_of(pod)
    ours = [key for key in annotations if key.startswith(STATUS_PREFIX)]
    strays = [key for key in labels if key.startswith(STATUS_PREFIX)]
    if not ours and not strays:
        return Restored(pod)
    record = _parse(annotations.get(DECISION, ""))
    shortened = bool(record.get("shortened"))
    sizes = current_sizes(read_containers(pod)) if shortened else sizes_of(record)
    genuine = record.get("id") == decision_id(
        workload.identity, str(record.get("class")), str(record.get("mode")), sizes
    )
    if genuine and shortened and not strays:
        return Restored(pod, final=True)
    copied: dict[str, Any] = copy_json(pod)
    _drop(copied, "annotations", ours)
    _drop(copied, "labels", strays)
    if not genuine:
        strays += ours
    elif record.get("mode") != OBSERVE:
        _undo_sizes(copied["spec"], record)
        _undo_effects(copied["spec"], record.get("effects") or {})
    warnings = (f"{strays[0]}: only stowplan writes {STATUS_PREFIX} keys; dropped",) if strays else ()
    return Restored(copied, warnings)


def _parse(text: str) -> dict[str, Any]:
    if not text or len(text) > _MAX_TEXT:
        return {}
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _drop(pod: dict[str, Any], block: str, keys: list[str]) -> None:
    for key in keys:
        del pod["metadata"][block][key]
    if keys and not pod["metadata"][block]:
        del pod["metadata"][block]


def _undo_sizes(spec: dict[str, Any], record: Mapping[str, Any]) -> None:
    entries = dict(record.get("others") or {})
    if "main" in record:
        entries[record["main"]] = record
    for list_name in LISTS:
        for container in spec.get(list_name) or ():
            entry = entries.get(container["name"])
            if entry:
                _undo_container(container, entry)


def _undo_container(container: dict[str, Any], entry: Mapping[str, Any]) -> None:
    resources = container.get("resources") or {}
    container["resources"] = resources
    for resource in COMPUTE:
        size = entry.get(resource)
        if size and "set" in size:
            _undo(resources, "requests", resource, size)
        limit = (entry.get("limits") or {}).get(resource)
        if limit:
            _undo(resources, "limits", resource, limit)


def _undo(resources: dict[str, Any], kind: str, resource: str, change: Mapping[str, Any]) -> None:
    block = resources.get(kind) or {}
    if not _same(resource, block.get(resource), change["set"]):
        return
    if change.get("from") is None:
        block.pop(resource, None)
        if not block:
            resources.pop(kind, None)
    else:
        resources.setdefault(kind, {})[resource] = change["from"]


def _same(resource: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    try:
        return parse_amount(resource, left) == parse_amount(resource, right)
    except QuantityError:
        return False


def _undo_effects(spec: dict[str, Any], effects: Mapping[str, Any]) -> None:
    priority = effects.get("priority")
    if priority and spec.get("priorityClassName") == priority.get("set"):
        for key in _PRIORITY:
            spec.pop(key, None)
        before = priority.get("from") or {}
        spec.update({key: before[key] for key in _PRIORITY if key in before})
    scheduler = effects.get("scheduler")
    if scheduler is not None and spec.get("schedulerName") == SCHEDULER_NAME:
        spec["schedulerName"] = scheduler.get("from")
        if spec["schedulerName"] is None:
            del spec["schedulerName"]
    if effects.get("gate"):
        _undo_gate(spec)
    if fingerprint(spec.get("topologySpreadConstraints")) == effects.get("spread"):
        del spec["topologySpreadConstraints"]
    if effects.get("capacity"):
        _undo_capacity(spec)


def _undo_gate(spec: dict[str, Any]) -> None:
    others = [gate for gate in spec.get("schedulingGates") or () if gate.get("name") != GATE]
    if others:
        spec["schedulingGates"] = others
    else:
        spec.pop("schedulingGates", None)


def _undo_capacity(spec: dict[str, Any]) -> None:
    affinity = spec.get("affinity") or {}
    nodes = affinity.get("nodeAffinity") or {}
    key = "preferredDuringSchedulingIgnoredDuringExecution"
    if key in nodes:
        nodes[key] = [term for term in nodes[key] if not is_capacity_term(term)]
        for parent, name in ((nodes, key), (affinity, "nodeAffinity"), (spec, "affinity")):
            if not parent[name]:
                del parent[name]


def is_capacity_term(term: Mapping[str, Any]) -> bool:
    """Whether a preferred node affinity term speaks of nothing but the capacity type."""
    preference = term.get("preference") or {}
    expressions = preference.get("matchExpressions") or ()
    return list(preference) == ["matchExpressions"] and [e.get("key") for e in expressions] == [CAPACITY_TYPE]
