"""LimitRange: its constraints as one value per namespace, and LimitRanger's own check and defaults.

Semantics of `plugin/pkg/admission/limitranger/admission.go` (kubernetes 1.36): for a maximum a limit must be there, for a
minimum a request, for a ratio both; pod totals leave the overhead out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from stowplan.model.quantity import QuantityError, parse_quantity
from stowplan.model.resources import Amounts, container_amounts, effective_requests, parse_amounts
from webhook.containers import LISTS


@dataclass(frozen=True, slots=True)
class LimitItem:
    """One entry of a LimitRange's `spec.limits`; `type` is Container or Pod."""

    type: str
    minimum: Amounts = field(default_factory=dict)
    maximum: Amounts = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    """As written: LimitRanger copies it into the pod."""
    default_request: Mapping[str, Any] = field(default_factory=dict)
    ratio: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LimitRange:
    """A LimitRange object, storage claims left out."""

    name: str
    items: tuple[LimitItem, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """All that the LimitRanges of a namespace demand of one resource, for a container or for a pod."""

    minimum: int = 0
    maximum: int | None = None
    ratio: Fraction | None = None
    default: int | None = None

    @property
    def needs_limit(self) -> bool:
        """Whether a container without a limit would be refused, or given one when LimitRanger runs again."""
        return self.maximum is not None or self.ratio is not None or self.default is not None

    def clamp(self, amount: int) -> int:
        """The amount within minimum and maximum; the maximum wins."""
        amount = max(amount, self.minimum)
        return amount if self.maximum is None else min(amount, self.maximum)


NO_BOUNDS = Bounds()


def parse_limit_range(obj: Mapping[str, Any]) -> LimitRange:
    """A LimitRange object of the API, with the API server's defaults (max -> default -> defaultRequest, then min).

    Raises:
        QuantityError: a quantity that is none.
    """
    entries = (obj.get("spec") or {}).get("limits") or ()
    items = tuple(_item(entry) for entry in entries if entry.get("type") in ("Container", "Pod"))
    return LimitRange((obj.get("metadata") or {}).get("name", ""), items)


def _item(entry: Mapping[str, Any]) -> LimitItem:
    default = dict(entry.get("default") or {})
    default_request = dict(entry.get("defaultRequest") or {})
    if entry["type"] == "Container":  # SetDefaults_LimitRangeItem
        default = {**(entry.get("max") or {}), **default}
        default_request = {**(entry.get("min") or {}), **default, **default_request}
    return LimitItem(
        type=entry["type"],
        minimum=parse_amounts(entry.get("min")),
        maximum=parse_amounts(entry.get("max")),
        default=default,
        default_request=default_request,
        ratio={name: parse_quantity(value) for name, value in (entry.get("maxLimitRequestRatio") or {}).items()},
    )


def combine(ranges: Iterable[LimitRange], kind: str, resource: str) -> Bounds:
    """The strictest of all ranges of a namespace for `kind` (Container or Pod)."""
    minimum, maximum, ratio, default = 0, None, None, None
    for item in (i for r in ranges for i in r.items if i.type == kind):
        minimum = max(minimum, item.minimum.get(resource, 0))
        maximum = _least(maximum, item.maximum.get(resource))
        ratio = _least(ratio, item.ratio.get(resource))
        if resource in item.default:
            default = _least(default, parse_amounts(item.default)[resource])
    return Bounds(minimum, maximum, ratio, default)


def _least(left: Any, right: Any) -> Any:
    return left if right is None else right if left is None else min(left, right)


def violations(spec: Mapping[str, Any], ranges: Iterable[LimitRange]) -> set[str]:
    """What LimitRanger would refuse, one stable text for each; empty is admitted."""
    found: set[str] = set()
    for item in (i for r in ranges for i in r.items):
        if item.type == "Pod":
            bare = {key: value for key, value in spec.items() if key != "overhead"}
            found |= _check(item, "pod", effective_requests(bare), effective_requests(bare, "limits"))
            continue
        for list_name in LISTS:
            for container in spec.get(list_name) or ():
                limits = container_amounts(container, "limits")
                found |= _check(item, container["name"], container_amounts(container), limits)
    return found


def _check(item: LimitItem, who: str, requests: Amounts, limits: Amounts) -> set[str]:
    found = set()
    for resource, least in item.minimum.items():
        if requests.get(resource, -1) < least or limits.get(resource, least) < least:
            found.add(f"{who}: {resource} below minimum")
    for resource, most in item.maximum.items():
        if resource not in limits or limits[resource] > most or requests.get(resource, 0) > most:
            found.add(f"{who}: {resource} above maximum or without limit")
    for resource, ratio in item.ratio.items():
        request, limit = requests.get(resource, 0), limits.get(resource, 0)
        if not request or not limit or Fraction(limit, request) > ratio:
            found.add(f"{who}: {resource} limit to request ratio")
    return found


def inject_defaults(pod: dict[str, Any], ranges: Iterable[LimitRange]) -> None:
    """What LimitRanger does to a pod before any webhook sees it, annotation included (offline only; changes `pod`)."""
    for limit_range in ranges:
        said = []
        for list_name, word in zip(LISTS, ("container", "init container"), strict=True):
            for container in pod["spec"].get(list_name) or ():
                said += _inject(container, word, limit_range)
        if said:
            annotations = pod.setdefault("metadata", {}).setdefault("annotations", {})
            annotations["kubernetes.io/limit-ranger"] = "LimitRanger plugin set: " + "; ".join(said)


def _inject(container: dict[str, Any], word: str, limit_range: LimitRange) -> list[str]:
    said = []
    items = [item for item in limit_range.items if item.type == "Container"]
    for kind, defaults in (
        ("requests", {k: v for item in items for k, v in item.default_request.items()}),
        ("limits", {k: v for item in items for k, v in item.default.items()}),
    ):
        block = (container.get("resources") or {}).get(kind) or {}
        missing = {name: value for name, value in sorted(defaults.items()) if name not in block}
        if missing:
            container["resources"] = {**(container.get("resources") or {}), kind: {**block, **missing}}
            said.append(f"{', '.join(missing)} {kind[:-1]} for {word} {container['name']}")
    return said


__all__ = [
    "NO_BOUNDS",
    "Bounds",
    "LimitItem",
    "LimitRange",
    "QuantityError",
    "combine",
    "inject_defaults",
    "parse_limit_range",
    "violations",
]
