"""WorkloadClass objects of the API, written from the vocabulary."""

from __future__ import annotations

from typing import Any

from stowplan.model.keys import GROUP, VERSION
from stowplan.model.quantity import format_bytes, format_cpu
from stowplan.model.workload_class import RolloutMode, Scheduling, WorkloadClass


def workload_class_manifest(workload_class: WorkloadClass) -> dict[str, Any]:
    """The WorkloadClass object that parses to this class, every field written out (the revision, which is status, is not)."""
    c = workload_class
    spec: dict[str, Any] = {
        "lifecycle": c.lifecycle,
        **({"replacedBy": c.replaced_by} if c.replaced_by else {}),
        "description": c.description,
        "tier": c.tier,
        "latency": str(c.latency),
        "cost": str(c.cost),
        "explicit": str(c.explicit),
        "sizing": _sizing_manifest(c),
        "scheduling": _scheduling_manifest(c.scheduling),
        "rollout": {
            "mode": str(c.rollout.mode),
            **({"percent": c.rollout.percent} if c.rollout.mode is RolloutMode.CANARY else {}),
        },
    }
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "WorkloadClass", "metadata": {"name": c.name}, "spec": spec}


def _sizing_manifest(c: WorkloadClass) -> dict[str, Any]:
    return {
        "cpu": {
            "percentile": c.cpu.percentile,
            "marginPercent": c.cpu.margin_percent,
            "staffingFactor": (c.cpu.staffing_factor_thousandths or 0) / 1000,
            "window": f"{c.cpu.window_days}d",
            "minHistory": _format_hours(c.cpu.min_history_hours),
        },
        "memory": {
            "percentile": c.memory.percentile,
            "marginPercent": c.memory.margin_percent,
            "oomBumpPercent": c.memory.oom_bump_percent,
        },
        "risk": {
            "overrunPercent": c.risk.overrun_percent,
            "unmetPercent": c.risk.unmet_percent,
            "breachPercent": c.risk.breach_percent,
        },
        "limits": {"cpuPercent": c.limits.cpu_percent or 0, "memoryPercent": c.limits.memory_percent or 0},
        "bounds": {
            "cpuMin": format_cpu(c.bounds.cpu_min),
            "cpuMax": format_cpu(c.bounds.cpu_max),
            "memoryMin": format_bytes(c.bounds.memory_min),
            "memoryMax": format_bytes(c.bounds.memory_max),
        },
        "step": {
            "maxDownPercent": c.step.max_down_percent,
            "maxUpPercent": c.step.max_up_percent,
            "cooldown": _format_hours(c.step.cooldown_hours),
        },
        "coldStart": {"size": str(c.cold_start.size), "shape": str(c.cold_start.shape)},
    }


def _scheduling_manifest(scheduling: Scheduling) -> dict[str, Any]:
    spread: dict[str, Any] = {}
    if scheduling.zone_spread is not None:
        zone = scheduling.zone_spread
        when = "DoNotSchedule" if zone.hard else "ScheduleAnyway"
        spread["zone"] = {"maxSkew": zone.max_skew, "when": when, "hardFromReplicas": zone.hard_from_replicas}
    if scheduling.host_skew_divisor is not None:
        spread["hostSkewDivisor"] = scheduling.host_skew_divisor
    weights = scheduling.weights
    return {
        "priorityClassName": scheduling.priority_class_name,
        "spread": spread,
        "capacity": [{"type": preference.type, "weight": preference.weight} for preference in scheduling.capacity],
        "weights": {"pack": weights.pack, "cost": weights.cost, "latency": weights.latency, "spread": weights.spread},
        "maxNodeLoadPercent": scheduling.max_node_load_percent,
    }


def _format_hours(hours: int) -> str:
    return f"{hours // 24}d" if hours and hours % 24 == 0 else f"{hours}h"
