"""WorkloadClass and WorkloadPolicy objects of the API, read into the vocabulary and written back.

The same rules as the schema and CEL rules in `manifests/crds/`, so that files read offline are judged as the API server would.
Absent fields take the values of the built-in class `standard`; percentages are whole percents, 0 means "none" where a bound or limit
may be absent, durations are days (`14d`) or hours (`36h`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from stowplan.model.builtin_classes import BUILTIN_CLASSES, DEFAULT_CLASS
from stowplan.model.class_manifest import workload_class_manifest
from stowplan.model.fields import ClassError, Fields
from stowplan.model.keys import GROUP, VERSION
from stowplan.model.quantity import format_bytes, format_cpu, parse_bytes, parse_cpu
from stowplan.model.scheduling_codec import CAPACITY_TYPES, parse_scheduling
from stowplan.model.workload_class import (
    Bounds,
    ColdStart,
    Cost,
    CpuSizing,
    DeclaredRisk,
    Latency,
    Limits,
    MemorySizing,
    Rollout,
    RolloutMode,
    Scaled,
    Size,
    Step,
    WorkloadClass,
    WorkloadPolicy,
)

__all__ = [
    "CAPACITY_TYPES",
    "LIFECYCLES",
    "ClassError",
    "parse_workload_class",
    "parse_workload_policy",
    "workload_class_manifest",
]

_STANDARD: Final = BUILTIN_CLASSES[DEFAULT_CLASS]
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_LOWEST_TIER: Final = 3
_MOST_RISK: Final = 90
"""Percent; the knob `cost` doubles what is declared, up to this share."""
LIFECYCLES: Final = ("alpha", "beta", "stable", "deprecated", "end-of-life")


def parse_workload_class(obj: Mapping[str, Any], *, strict: bool = False) -> WorkloadClass:
    """The class that a WorkloadClass object describes.

    The revision is `status.revision`, else `metadata.generation`, else 1.

    Args:
        obj: the object as JSON values.
        strict: whether unknown fields are errors (files written by people) or ignored (objects of a newer version).

    Raises:
        ClassError: a field has the wrong type or a value out of range, or fields contradict each other.
    """
    root, name = _root(obj, "WorkloadClass", strict=strict)
    if not _NAME.fullmatch(name):
        raise root.error(
            "metadata.name",
            name,
            "must be 1 to 40 of a-z, 0-9 and inner '-'; a dot is kept for revision pins (name.rN)",
        )
    spec = root.child(
        "spec",
        "lifecycle",
        "replacedBy",
        "description",
        "tier",
        "latency",
        "cost",
        "explicit",
        "sizing",
        "scheduling",
        "rollout",
    )
    sizing = spec.child("sizing", "cpu", "memory", "risk", "limits", "bounds", "step", "coldStart")
    revision = root.child("status").integer("revision", 0, 0, 2**53)
    parsed = WorkloadClass(
        name=name,
        description=spec.text("description", ""),
        tier=spec.integer("tier", _STANDARD.tier, 0, _LOWEST_TIER),
        latency=spec.choice("latency", _STANDARD.latency),
        cost=spec.choice("cost", _STANDARD.cost),
        explicit=spec.choice("explicit", _STANDARD.explicit),
        cpu=_cpu(sizing.child("cpu", "percentile", "marginPercent", "staffingFactor", "window", "minHistory")),
        memory=_memory(sizing.child("memory", "percentile", "marginPercent", "oomBumpPercent")),
        risk=_risk(sizing.child("risk", "overrunPercent", "unmetPercent", "breachPercent")),
        limits=_limits(sizing.child("limits", "cpuPercent", "memoryPercent")),
        bounds=_bounds(sizing.child("bounds", "cpuMin", "cpuMax", "memoryMin", "memoryMax")),
        step=_step(sizing.child("step", "maxDownPercent", "maxUpPercent", "cooldown")),
        cold_start=_cold_start(sizing.child("coldStart", "size", "shape")),
        scheduling=parse_scheduling(
            spec.child("scheduling", "priorityClassName", "spread", "capacity", "weights", "maxNodeLoadPercent")
        ),
        rollout=_rollout(spec.child("rollout", "mode", "percent")),
        lifecycle=spec.one_of("lifecycle", _STANDARD.lifecycle, LIFECYCLES),
        replaced_by=spec.text("replacedBy", ""),
        revision=revision or root.child("metadata").integer("generation", 1, 1, 2**53),
    )
    _check(spec, parsed)
    return parsed


def _root(obj: Mapping[str, Any], kind: str, *, strict: bool) -> tuple[Fields, str]:
    """The object's fields and its name."""
    if not isinstance(obj, Mapping):
        raise ClassError(f"{kind}: {obj!r}: must be an object")
    if obj.get("kind", kind) != kind or obj.get("apiVersion", f"{GROUP}/{VERSION}") != f"{GROUP}/{VERSION}":
        raise ClassError(f"{kind}: is {obj.get('apiVersion')} {obj.get('kind')}; must be {GROUP}/{VERSION} {kind}")
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ClassError(f"{kind}: metadata.name: {name!r}: is required")
    return Fields(f"{kind} {name}", "", obj, strict), name


def _cpu(fields: Fields) -> CpuSizing:
    base = _STANDARD.cpu
    return CpuSizing(
        percentile=fields.integer("percentile", base.percentile, 1, 100),
        margin_percent=fields.integer("marginPercent", base.margin_percent, 0, 500),
        staffing_factor_thousandths=fields.staffing("staffingFactor", base.staffing_factor_thousandths),
        window_days=fields.hours("window", base.window_days * 24, whole_days=True) // 24,
        min_history_hours=fields.hours("minHistory", base.min_history_hours),
    )


def _memory(fields: Fields) -> MemorySizing:
    base = _STANDARD.memory
    return MemorySizing(
        percentile=fields.integer("percentile", base.percentile, 1, 100),
        margin_percent=fields.integer("marginPercent", base.margin_percent, 0, 500),
        oom_bump_percent=fields.integer("oomBumpPercent", base.oom_bump_percent, 100, 500),
    )


def _risk(fields: Fields) -> DeclaredRisk:
    base = _STANDARD.risk
    return DeclaredRisk(
        overrun_percent=fields.integer("overrunPercent", base.overrun_percent, 1, _MOST_RISK),
        unmet_percent=fields.integer("unmetPercent", base.unmet_percent, 1, _MOST_RISK),
        breach_percent=fields.integer("breachPercent", base.breach_percent, 1, _MOST_RISK),
    )


def _limits(fields: Fields) -> Limits:
    return Limits(
        cpu_percent=fields.percent_or_none("cpuPercent", _STANDARD.limits.cpu_percent),
        memory_percent=fields.percent_or_none("memoryPercent", _STANDARD.limits.memory_percent),
    )


def _bounds(fields: Fields) -> Bounds:
    base = _STANDARD.bounds
    bounds = Bounds(
        cpu_min=fields.amount("cpuMin", base.cpu_min, parse_cpu),
        cpu_max=fields.amount("cpuMax", base.cpu_max, parse_cpu),
        memory_min=fields.amount("memoryMin", base.memory_min, parse_bytes),
        memory_max=fields.amount("memoryMax", base.memory_max, parse_bytes),
    )
    if bounds.cpu_min > bounds.cpu_max:
        raise fields.error(
            "cpuMin", format_cpu(bounds.cpu_min), f"must not exceed cpuMax ({format_cpu(bounds.cpu_max)})"
        )
    if bounds.memory_min > bounds.memory_max:
        raise fields.error(
            "memoryMin",
            format_bytes(bounds.memory_min),
            f"must not exceed memoryMax ({format_bytes(bounds.memory_max)})",
        )
    return bounds


def _step(fields: Fields) -> Step:
    base = _STANDARD.step
    return Step(
        max_down_percent=fields.integer("maxDownPercent", base.max_down_percent, 0, 100),
        max_up_percent=fields.integer("maxUpPercent", base.max_up_percent, 0, 1000),
        cooldown_hours=fields.hours("cooldown", base.cooldown_hours),
    )


def _cold_start(fields: Fields) -> ColdStart:
    size = fields.choice("size", _STANDARD.cold_start.size)
    if size is Size.AUTO:
        raise fields.error("size", "auto", "must be a size with an amount, such as m")
    return ColdStart(size, fields.choice("shape", _STANDARD.cold_start.shape))


def _rollout(fields: Fields) -> Rollout:
    mode = fields.choice("mode", RolloutMode.APPLY)
    if fields.has("percent") is not (mode is RolloutMode.CANARY):
        raise fields.error(
            "percent", fields.content.get("percent"), f"is needed with mode Canary and only there (mode is {mode})"
        )
    return Rollout(mode, fields.integer("percent", 100, 0, 100))


def _check(spec: Fields, parsed: WorkloadClass) -> None:
    """What no single field can say."""
    retired = parsed.lifecycle in ("deprecated", "end-of-life")
    if retired and not _NAME.fullmatch(parsed.replaced_by):
        raise spec.error(
            "replacedBy", parsed.replaced_by, f"a class that is {parsed.lifecycle} must name its successor"
        )
    if parsed.replaced_by == parsed.name:
        raise spec.error("replacedBy", parsed.replaced_by, "a class cannot replace itself")
    if parsed.tier == 0 and parsed.cost is Cost.SAVE:
        raise spec.error("cost", "save", "contradicts tier 0; use balanced or safe, or another tier")
    if parsed.tier == 0 and any(preference.type == "spot" for preference in parsed.scheduling.capacity):
        raise spec.error(
            "scheduling.capacity", "spot", "contradicts tier 0, which must not be interrupted; use on-demand"
        )
    if parsed.tier == _LOWEST_TIER and parsed.latency is Latency.TIGHT:
        raise spec.error("latency", "tight", "contradicts tier 3 (batch, dev); use normal or relaxed, or another tier")


def parse_workload_policy(obj: Mapping[str, Any], *, strict: bool = False) -> WorkloadPolicy:
    """The guardrails that a WorkloadPolicy object describes. `strict` as in `parse_workload_class`.

    Raises:
        ClassError: a field has the wrong type or value, or the default class is not among the allowed ones.
    """
    root, _ = _root(obj, "WorkloadPolicy", strict=strict)
    spec = root.child("spec", "defaultClass", "allowedClasses", "max", "rollout", "scheduling", "hpa")
    allowed = spec.content.get("allowedClasses") or ()
    if not isinstance(allowed, list | tuple) or not all(
        isinstance(name, str) and _NAME.fullmatch(name) for name in allowed
    ):
        raise spec.error("allowedClasses", allowed, "must be a list of class names without revision pins")
    default = spec.text("defaultClass", "")
    if default and not _NAME.fullmatch(default):
        raise spec.error("defaultClass", default, "must be a class name without a revision pin")
    if default and allowed and default not in allowed:
        raise spec.error("defaultClass", default, f"must be one of allowedClasses ({', '.join(allowed)})")
    bounds = spec.child("max", "cpuPerPod", "memoryPerPod")
    return WorkloadPolicy(
        namespace=root.child("metadata").text("namespace", "default"),
        default_class=default,
        allowed_classes=tuple(allowed),
        max_cpu_per_pod=bounds.amount("cpuPerPod", 0, parse_cpu),
        max_memory_per_pod=bounds.amount("memoryPerPod", 0, parse_bytes),
        rollout=_rollout(spec.child("rollout", "mode", "percent")) if spec.has("rollout") else None,
        gate=spec.child("scheduling", "gate").boolean("gate", default=False),
        scaled=spec.choice("hpa", Scaled.HOLD),
    )
