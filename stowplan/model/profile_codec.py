"""WorkloadProfile objects of the API, written from the vocabulary and read back, as `manifests/crds/workloadprofiles.yaml` has them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stowplan.model.fields import ClassError, Fields
from stowplan.model.keys import GROUP, VERSION
from stowplan.model.profile import (
    AchievedRisk,
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Regression,
    Risk,
    Signal,
    Source,
    WorkloadMode,
    WorkloadProfile,
)
from stowplan.model.quantity import QuantityError, format_amount, parse_amount
from stowplan.model.workload_class import Cost

ProfileError = ClassError
"""A profile that makes no sense; the message names the object, the field's path, the value and the remedy."""

KIND: Final = "WorkloadProfile"
_MOST: Final = 2**53
_NAME_BYTES: Final = 253
_NOT_A_NAME: Final = re.compile(r"[^a-z0-9.-]+")


def object_name(kind: str, name: str) -> str:
    """The name of a workload's profile: `deployment-checkout`; what would be no object name is cut and told apart by a hash."""
    plain = f"{kind.lower()}-{name}"
    clean = _NOT_A_NAME.sub("-", plain).strip(".-")
    if clean == plain and len(plain) <= _NAME_BYTES:
        return plain
    digest = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:8]
    return f"{clean[: _NAME_BYTES - len(digest) - 1]}-{digest}"


def profile_manifest(profile: WorkloadProfile) -> dict[str, Any]:
    """The whole object, `status` included (which the API server takes by its subresource only)."""
    target = {"kind": profile.kind, "name": profile.name}
    if profile.api_version:
        target = {"apiVersion": profile.api_version, **target}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": object_name(profile.kind, profile.name), "namespace": profile.namespace},
        "spec": {"targetRef": target},
        "status": profile_status(profile),
    }


def profile_status(profile: WorkloadProfile) -> dict[str, Any]:
    """The `status` alone. The observed class's containers also stand at the top, for `kubectl get` and people."""
    status: dict[str, Any] = {
        "updatedAt": _format_time(profile.updated_s),
        "history": f"{profile.history_hours // 24}d" if profile.history_hours >= 24 else f"{profile.history_hours}h",  # noqa: PLR2004 - hours in a day
        "replicas": profile.replicas,
        "class": profile.observed_class,
        "cost": str(profile.observed_cost),
        "recommendations": [_class_status(r) for r in profile.recommendations],
        "checkpoint": dict(profile.checkpoint),
    }
    if profile.observed_mode is not None:
        status["mode"] = str(profile.observed_mode)
    if profile.risk is not None:
        risk = profile.risk
        status["risk"] = {
            "declared": _risk_status(risk.declared),
            "achieved": _risk_status(risk.achieved),
            "days": risk.days,
        }
    if profile.regression is not None:
        halt = profile.regression
        status["regression"] = {
            "signal": str(halt.signal),
            "since": _format_time(halt.since_s),
            "until": _format_time(halt.until_s),
            "message": halt.message,
            "step": halt.step,
        }
    return status


def _class_status(of: ClassRecommendation) -> dict[str, Any]:
    return {
        "class": of.workload_class,
        "cost": str(of.cost),
        "containers": [_container_status(c) for c in of.containers],
    }


def _container_status(of: ContainerRecommendation) -> dict[str, Any]:
    return {
        "name": of.name,
        "target": _format_amounts(of.target),
        "lowerBound": _format_amounts(of.lower),
        "upperBound": _format_amounts(of.upper),
        "confidence": str(of.confidence),
        "source": str(of.source),
        "formula": of.formula,
        "samples": of.samples,
        "days": of.days,
        "clamps": list(of.clamps),
        "savingMicroUSDPerHour": of.saving_micro_usd_per_hour,
    }


def _risk_status(risk: Risk) -> dict[str, int]:
    return {"overrunPPM": risk.overrun, "unmetPPM": risk.unmet, "breachPPM": risk.breach}


def _format_amounts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {resource: format_amount(resource, amount) for resource, amount in amounts.items()}


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_profile(obj: Mapping[str, Any]) -> WorkloadProfile:
    """The profile that an object describes; unknown fields (of a newer version) are ignored.

    Raises:
        ProfileError: a field has the wrong type, or a value out of its range.
    """
    if obj.get("kind", KIND) != KIND:
        raise ProfileError(f"{KIND}: is {obj['kind']!r}; must be a {KIND}")
    root = Fields(KIND, "", obj, strict=False)
    metadata, spec, status = root.child("metadata"), root.child("spec"), root.child("status")
    target = spec.child("targetRef")
    kind, name = target.text("kind", ""), target.text("name", "")
    if not kind or not name:
        raise target.error("name" if kind else "kind", name or kind, "is required")
    return WorkloadProfile(
        namespace=metadata.text("namespace", "default"),
        kind=kind,
        name=name,
        api_version=target.text("apiVersion", ""),
        updated_s=_time(status, "updatedAt"),
        history_hours=status.hours("history", 0),
        replicas=status.integer("replicas", 0, 0, _MOST),
        observed_class=status.text("class", ""),
        observed_cost=status.choice("cost", Cost.BALANCED),
        observed_mode=status.choice("mode", WorkloadMode.APPLY) if status.has("mode") else None,
        recommendations=tuple(_class(item) for item in _items(status, "recommendations")),
        risk=_achieved(status.child("risk")) if status.has("risk") else None,
        regression=_regression(status.child("regression")) if status.has("regression") else None,
        checkpoint={str(k): str(v) for k, v in status.child("checkpoint").content.items()},
    )


def _items(fields: Fields, name: str) -> list[Fields]:
    items = fields.content.get(name) or ()
    if not isinstance(items, list | tuple):
        raise fields.error(name, items, "must be a list of objects")
    found = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise fields.error(f"{name}[{index}]", item, "must be an object")
        found.append(Fields(fields.owner, f"{fields.path}.{name}[{index}]", item, fields.strict))
    return found


def _class(fields: Fields) -> ClassRecommendation:
    return ClassRecommendation(
        fields.text("class", ""),
        fields.choice("cost", Cost.BALANCED),
        tuple(_container(item) for item in _items(fields, "containers")),
    )


def _container(fields: Fields) -> ContainerRecommendation:
    clamps = fields.content.get("clamps") or ()
    if not isinstance(clamps, list | tuple):
        raise fields.error("clamps", clamps, "must be a list of text")
    return ContainerRecommendation(
        name=fields.text("name", ""),
        target=_amounts(fields, "target"),
        lower=_amounts(fields, "lowerBound"),
        upper=_amounts(fields, "upperBound"),
        confidence=fields.choice("confidence", Confidence.LOW),
        source=fields.choice("source", Source.USAGE),
        formula=fields.text("formula", ""),
        samples=fields.integer("samples", 0, 0, _MOST),
        days=fields.integer("days", 0, 0, _MOST),
        clamps=tuple(str(clamp) for clamp in clamps),
        saving_micro_usd_per_hour=fields.integer("savingMicroUSDPerHour", 0, -_MOST, _MOST),
    )


def _amounts(fields: Fields, name: str) -> dict[str, int]:
    amounts = {}
    for resource, value in fields.child(name).content.items():
        try:
            amounts[resource] = parse_amount(resource, value)
        except QuantityError as error:
            raise fields.error(f"{name}.{resource}", value, str(error)) from error
    return amounts


def _risk(fields: Fields) -> Risk:
    return Risk(*(fields.integer(name, 0, 0, _MOST) for name in ("overrunPPM", "unmetPPM", "breachPPM")))


def _achieved(fields: Fields) -> AchievedRisk:
    return AchievedRisk(
        _risk(fields.child("declared")), _risk(fields.child("achieved")), fields.integer("days", 0, 0, _MOST)
    )


def _regression(fields: Fields) -> Regression:
    return Regression(
        fields.choice("signal", Signal.RESTARTS),
        _time(fields, "since"),
        _time(fields, "until"),
        fields.text("message", ""),
        fields.integer("step", 1, 1, _MOST),
    )


def _time(fields: Fields, name: str) -> int:
    text = fields.text(name, "")
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise fields.error(name, text, "must be a time such as 2026-01-31T12:00:00Z") from error
