"""The scheduling intent of a WorkloadClass object, read into the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stowplan.model.builtin_classes import BUILTIN_CLASSES, DEFAULT_CLASS
from stowplan.model.fields import Fields
from stowplan.model.workload_class import CapacityPreference, Scheduling, ScoreWeights, ZoneSpread

_DEFAULT: Final = BUILTIN_CLASSES[DEFAULT_CLASS].scheduling
_HARD: Final = "DoNotSchedule"
_SOFT: Final = "ScheduleAnyway"
CAPACITY_TYPES: Final = ("on-demand", "spot")


def parse_scheduling(fields: Fields) -> Scheduling:
    """The fields below `spec.scheduling`. Raises ClassError."""
    base = _DEFAULT
    weights = fields.child("weights", "pack", "cost", "latency", "spread")
    spread = fields.child("spread", "zone", "hostSkewDivisor")
    divisor = spread.integer("hostSkewDivisor", 0, 1, 100) or None
    return Scheduling(
        priority_class_name=fields.text("priorityClassName", base.priority_class_name),
        weights=_weights(weights) if fields.has("weights") else base.weights,
        max_node_load_percent=fields.integer("maxNodeLoadPercent", base.max_node_load_percent, 1, 100),
        zone_spread=_zone_spread(spread) if fields.has("spread") else base.zone_spread,
        host_skew_divisor=divisor if fields.has("spread") else base.host_skew_divisor,
        capacity=_capacity(fields),
    )


def _weights(fields: Fields) -> ScoreWeights:
    shares = [fields.integer(name, -1, 0, 100) for name in ("pack", "cost", "latency", "spread")]
    if -1 in shares or sum(shares) != 100:  # noqa: PLR2004 - shares in percent
        raise fields.error("pack+cost+latency+spread", dict(fields.content), "give all four; they must sum to 100")
    return ScoreWeights(*shares)


def _zone_spread(spread: Fields) -> ZoneSpread | None:
    if not spread.has("zone"):
        return None
    zone = spread.child("zone", "maxSkew", "when", "hardFromReplicas")
    return ZoneSpread(
        max_skew=zone.integer("maxSkew", 1, 1, 100),
        hard=zone.one_of("when", _SOFT, (_SOFT, _HARD)) == _HARD,
        hard_from_replicas=zone.integer("hardFromReplicas", 3, 1, 1000),
    )


def _capacity(fields: Fields) -> tuple[CapacityPreference, ...]:
    items = fields.content.get("capacity")
    if items is None:
        return _DEFAULT.capacity
    if not isinstance(items, list | tuple):
        raise fields.error("capacity", items, "must be a list of {type, weight}")
    preferences = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise fields.error(f"capacity[{index}]", item, "must be an object with type and weight")
        entry = Fields(fields.owner, f"{fields.path}.capacity[{index}]", item, fields.strict).only("type", "weight")
        preferences.append(
            CapacityPreference(entry.one_of("type", "", CAPACITY_TYPES), entry.integer("weight", 0, 1, 100))
        )
        if not entry.has("type") or not entry.has("weight"):
            raise fields.error(f"capacity[{index}]", dict(item), "needs type and weight")
    if len({preference.type for preference in preferences}) != len(preferences):
        raise fields.error("capacity", [p.type for p in preferences], "names a capacity type twice; name each once")
    return tuple(preferences)
