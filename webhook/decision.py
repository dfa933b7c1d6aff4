"""The decision record: what was decided and from what, small enough for an annotation, complete enough to be undone.

`{"id", "class", "mode", "reason", "limitedBy", "inputs", "main", "cpu": {"from", "ideal", "set"}, "memory", "limits", "others",
"effects", "notChosen", "learned", "risk", "replicas"}`: the main container's sizes stand at the top, the other containers' by name
under `others`. `learned` has the provenance by container, `risk` what was declared and achieved, in parts per million, `replicas`
what an autoscaler makes of changed requests.
A value is text as the API writes it; `from` is what the received pod said (null: nothing).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from stowplan.model.quantity import format_amount
from stowplan.model.reasons import Reason
from webhook.containers import COMPUTE, Container, Role
from webhook.gating import Gate
from webhook.limits import NO_LIMIT
from webhook.replica_change import ReplicaChange
from webhook.scheduling import Effects
from webhook.sizing import Sizing, main_first

MAX_BYTES: Final = 2048
OBSERVE: Final = "Observe"
APPLY: Final = "Apply"
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_SIZES: Final = ("main", *COMPUTE, "limits", "others")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a record is made of."""

    identity: str
    """Of the workload."""
    class_label: str
    mode: str
    reason: Reason
    inputs: Mapping[str, str | int]
    risk: Mapping[str, Any] = field(default_factory=dict)
    """Declared and achieved, where sizes were learned."""
    changes: Sequence[ReplicaChange] = ()
    """Of replicas, where requests change that an autoscaler divides by."""


def build_record(facts: Facts, sizings: Sequence[Sizing], effects: Effects, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a decision on the received `spec`, cut to `MAX_BYTES`."""
    sizes = _sizes(sizings, spec)
    record: dict[str, Any] = {
        "id": decision_id(facts.identity, facts.class_label, facts.mode, sizes),
        "class": facts.class_label,
        "mode": facts.mode,
        "reason": str(facts.reason),
        "limitedBy": sorted({str(reason) for sizing in sizings for reason in sizing.limited_by}),
        "inputs": dict(facts.inputs),
        **sizes,
        "effects": _effects(effects, spec),
        "notChosen": [{"option": option, "why": why} for option, why in effects.not_chosen],
        "learned": _learned(sizings),
        "risk": dict(facts.risk),
        "replicas": [change.as_record() for change in facts.changes],
    }
    record = {key: value for key, value in record.items() if value not in ([], {})}
    return _cut(record, facts, sizings)


def decision_id(identity: str, class_label: str, mode: str, sizes: Mapping[str, Any]) -> str:
    """Deterministic: the same decision for the same workload has the same id, so a re-invocation changes nothing."""
    text = _CANONICAL([identity, class_label, mode, sizes])
    return f"d-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def encode_record(record: Mapping[str, Any]) -> str:
    """The annotation's text."""
    return msgspec.json.encode(record).decode()


def sizes_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that the id covers."""
    return {key: record[key] for key in _SIZES if key in record}


def current_sizes(containers: Sequence[Container]) -> dict[str, Any]:
    """What the id of a shortened record covers: the final amounts of every container."""
    return {"now": [[c.name, sorted(c.requests.items()), sorted(c.limits.items())] for c in containers]}


def fingerprint(value: Any) -> str:
    """Recognises what we wrote into a pod when it comes back."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _learned(sizings: Sequence[Sizing]) -> dict[str, Any]:
    """Provenance by container, the main one first."""
    found = {s.container.name: dict(s.recommendation.learned) for s in main_first(sizings) if s.recommendation}
    return {name: learned for name, learned in found.items() if learned}


def _cut(record: dict[str, Any], facts: Facts, sizings: Sequence[Sizing]) -> dict[str, Any]:
    """Details are left out until the record fits, the least important first."""
    for leave_out in _DETAILS:
        if _fits(record):
            return record
        leave_out(record)
    if _fits(record):
        return record
    for key in _SIZES:
        record.pop(key, None)
    final = current_sizes([_final(s) for s in sizings])
    return {**record, "id": decision_id(facts.identity, facts.class_label, facts.mode, final), "shortened": True}


def _fits(record: Mapping[str, Any]) -> bool:
    return len(msgspec.json.encode(record)) <= MAX_BYTES


def _only_main(record: dict[str, Any]) -> None:
    record["learned"] = dict(list(record.get("learned", {}).items())[:1])


def _without_formulas(record: dict[str, Any]) -> None:
    record["learned"] = {
        name: {key: value for key, value in learned.items() if key != "formula"}
        for name, learned in record.get("learned", {}).items()
    }


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    def leave_out(record: dict[str, Any]) -> None:
        record.pop(key, None)

    return leave_out


_DETAILS: Final = (
    _without("notChosen"),
    _only_main,
    _without_formulas,
    _without("risk"),
    _without("learned"),
    _without("replicas"),
    _without("inputs"),
)
"""What is left out of a record that is too large, in this order."""


def _final(sizing: Sizing) -> Container:
    container = sizing.container
    limits = {k: v for k, v in {**container.limits, **sizing.limits}.items() if v != NO_LIMIT}
    return Container(
        container.name,
        container.list_name,
        container.index,
        container.role,
        {**container.requests, **sizing.requests},
        limits,
    )


def _sizes(sizings: Sequence[Sizing], spec: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for sizing in sizings:
        entry = _entry(sizing, spec)
        if sizing.container.role is Role.MAIN:
            found = {"main": sizing.container.name, **entry}
        elif entry:
            others[sizing.container.name] = entry
    return {**found, "others": others} if others else found


def _entry(sizing: Sizing, spec: Mapping[str, Any]) -> dict[str, Any]:
    container = sizing.container
    resources = spec[container.list_name][container.index].get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    entry: dict[str, Any] = {}
    for resource in COMPUTE:
        if resource not in sizing.requests and resource not in sizing.ideal:
            continue
        entry[resource] = {"from": requests.get(resource)}
        if resource in sizing.ideal:
            entry[resource]["ideal"] = format_amount(resource, sizing.ideal[resource])
        if resource in sizing.requests:
            entry[resource]["set"] = format_amount(resource, sizing.requests[resource])
    if sizing.limits:
        entry["limits"] = {
            resource: {
                "from": limits.get(resource),
                "set": None if amount == NO_LIMIT else format_amount(resource, amount),
            }
            for resource, amount in sorted(sizing.limits.items())
        }
    return entry


def _effects(effects: Effects, spec: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if effects.priority is not None:
        before = {key: spec[key] for key in ("priorityClassName", "priority", "preemptionPolicy") if key in spec}
        found["priority"] = {"from": before, "set": effects.priority.name}
    if effects.scheduler:
        found["scheduler"] = {"from": spec.get("schedulerName")}
    if effects.gate is Gate.ADDED:
        found["gate"] = True
    if effects.spread:
        found["spread"] = fingerprint(effects.spread)
    if effects.capacity:
        found["capacity"] = True
    return found
