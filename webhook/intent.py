"""What the pod's own labels and annotations ask for, made safe: every wrong value is a warning and the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, TypeVar

from stowplan.model.keys import (
    CONTAINER_POLICY_SUFFIX,
    COST,
    CPU_MAX,
    CPU_MIN,
    HPA,
    KEEP,
    LATENCY,
    MEMORY_MAX,
    MEMORY_MIN,
    MODE,
    OVERRIDE_EXPIRES,
    OVERRIDE_REASON,
    RUNTIME,
    SHAPE,
    SIZE,
    SPREAD,
)
from stowplan.model.quantity import QuantityError, parse_amount
from stowplan.model.workload_class import ColdStart, Cost, Latency, Scaled, Shape, Size, WorkloadClass
from webhook.runtimes import Runtime


class Keep(StrEnum):
    """An effect that can be left alone."""

    SIZE = "size"
    LIMITS = "limits"
    PRIORITY = "priority"
    SPREAD = "spread"
    PLACEMENT = "placement"
    """Scheduler and preferred capacity type."""


class Spread(StrEnum):
    """Topology spread asked for by label."""

    AUTO = "auto"
    ZONE = "zone"
    HOST = "host"
    PACK = "pack"


class ContainerPolicy(StrEnum):
    """What may be done to one container."""

    AUTO = "auto"
    FIXED = "fixed"
    IGNORE = "ignore"


class PodMode(StrEnum):
    """How far to go with this pod. `off` is an exit before anything is read."""

    OFF = "off"
    OBSERVE = "observe"
    APPLY = "apply"


_Word = TypeVar("_Word", bound=StrEnum)
_MAX_REASON: Final = 120
_BOUNDS: Final = {"cpu": (CPU_MIN, CPU_MAX), "memory": (MEMORY_MIN, MEMORY_MAX)}


@dataclass(frozen=True, slots=True)
class Intent:
    """The user's wishes after the validity matrix."""

    size: Size | None = None
    shape: Shape | None = None
    latency: Latency | None = None
    cost: Cost | None = None
    spread: Spread = Spread.AUTO
    mode: PodMode | None = None
    minimum: Mapping[str, int] = field(default_factory=dict)
    maximum: Mapping[str, int] = field(default_factory=dict)
    keep: frozenset[Keep] = frozenset()
    policies: Mapping[str, ContainerPolicy] = field(default_factory=dict)
    runtime: Runtime | None = None
    """Of the main container; None: whatever its settings show."""
    scaled: Scaled | None = None
    """None: as the namespace has it."""
    override_reason: str = ""
    """Why effects or containers are left alone, in the user's words."""
    warnings: tuple[str, ...] = ()

    @property
    def named_size(self) -> Size | None:
        """A size that is an amount, not `auto`."""
        return None if self.size is Size.AUTO else self.size

    @property
    def consents(self) -> bool:
        """Whether the pod agreed to written numbers being replaced (`size: auto`, written by the user)."""
        return self.size is Size.AUTO

    def apply_to(self, workload_class: WorkloadClass) -> WorkloadClass:
        """The class with the pod's own latency, cost and cold-start shape."""
        return replace(
            workload_class,
            latency=self.latency or workload_class.latency,
            cost=self.cost or workload_class.cost,
            cold_start=ColdStart(workload_class.cold_start.size, self.shape or workload_class.cold_start.shape),
        )


def read_intent(
    labels: Mapping[str, str], annotations: Mapping[str, str], workload_class: WorkloadClass, now_s: int = 0
) -> Intent:
    """Read and make safe: an unknown word, a bad quantity or a forbidden pair is warned about and dropped.

    `now_s` is in Unix seconds: overrides may end.
    """
    warnings: list[str] = []
    size = _word(labels, SIZE, Size, warnings)
    minimum, maximum = _bounds(annotations, warnings)
    if size not in (None, Size.AUTO) and (minimum or maximum):
        warnings.append(f"{SIZE}={size}: the named size wins over the cpu and memory bounds")
        minimum, maximum = {}, {}
    ended = _ended(annotations, now_s, warnings)
    return Intent(
        size=size,
        shape=_word(labels, SHAPE, Shape, warnings),
        latency=_latency(_word(labels, LATENCY, Latency, warnings), workload_class, warnings),
        cost=_cost(_word(labels, COST, Cost, warnings), workload_class, warnings),
        spread=_word(labels, SPREAD, Spread, warnings) or Spread.AUTO,
        mode=_word(labels, MODE, PodMode, warnings),
        minimum=minimum,
        maximum=maximum,
        keep=frozenset() if ended else _keep(annotations, warnings),
        policies={} if ended else _policies(annotations, warnings),
        override_reason="" if ended else _plain(annotations.get(OVERRIDE_REASON, "")),
        runtime=_word(annotations, RUNTIME, Runtime, warnings),
        scaled=_word(annotations, HPA, Scaled, warnings),
        warnings=tuple(warnings),
    )


def _word(texts: Mapping[str, str], key: str, words: type[_Word], warnings: list[str]) -> _Word | None:
    value = texts.get(key)
    if not value:
        return None
    try:
        return words(value)
    except ValueError:
        warnings.append(f"{key}={value}: ignored; write one of {', '.join(words)}")
        return None


def _latency(asked: Latency | None, workload_class: WorkloadClass, warnings: list[str]) -> Latency | None:
    if asked is Latency.TIGHT and workload_class.latency is Latency.RELAXED:
        warnings.append(f"{LATENCY}=tight does not go with class {workload_class.name}; using normal")
        return Latency.NORMAL
    return asked


def _cost(asked: Cost | None, workload_class: WorkloadClass, warnings: list[str]) -> Cost | None:
    if asked is Cost.SAVE and workload_class.tier == 0:
        warnings.append(f"{COST}=save does not go with class {workload_class.name}; using {workload_class.cost}")
        return None
    return asked


def _bounds(annotations: Mapping[str, str], warnings: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    minimum: dict[str, int] = {}
    maximum: dict[str, int] = {}
    for resource, (low, high) in _BOUNDS.items():
        for key, target in ((low, minimum), (high, maximum)):
            if key not in annotations:
                continue
            try:
                target[resource] = parse_amount(resource, annotations[key])
            except QuantityError:
                warnings.append(f"{key}: ignored, {annotations[key][:24]!r} is no quantity; write 250m, 1.5 or 2Gi")
        if minimum.get(resource, 0) > maximum.get(resource, minimum.get(resource, 0)):
            warnings.append(f"{low} is above {high}: both ignored; lower the minimum")
            del minimum[resource], maximum[resource]
    return minimum, maximum


def _plain(text: str) -> str:
    """Short, and encodable: a file read offline may hold halves of characters."""
    return text[:_MAX_REASON].encode("utf-8", "replace").decode()


def _ended(annotations: Mapping[str, str], now_s: int, warnings: list[str]) -> bool:
    """Whether the last day of the overrides is over."""
    text = annotations.get(OVERRIDE_EXPIRES)
    if not text:
        return False
    try:
        last = date.fromisoformat(text)
    except ValueError:
        warnings.append(f"{OVERRIDE_EXPIRES}: ignored, {text[:24]!r} is no day; write for example 2027-01-31")
        return False
    if datetime.fromtimestamp(now_s, UTC).date() <= last:
        return False
    warnings.append(f"{OVERRIDE_EXPIRES}={text} is over: keep and container policies no longer count")
    return True


def _keep(annotations: Mapping[str, str], warnings: list[str]) -> frozenset[Keep]:
    kept = set()
    for word in filter(None, (part.strip() for part in annotations.get(KEEP, "").split(","))):
        try:
            kept.add(Keep(word))
        except ValueError:
            warnings.append(f"{KEEP}: {word[:24]!r} ignored; write some of {', '.join(Keep)}")
    return frozenset(kept)


def _policies(annotations: Mapping[str, str], warnings: list[str]) -> dict[str, ContainerPolicy]:
    policies = {}
    for key in annotations:
        if not key.endswith(CONTAINER_POLICY_SUFFIX):
            continue
        policy = _word(annotations, key, ContainerPolicy, warnings)
        if policy is not None:
            policies[key.removesuffix(CONTAINER_POLICY_SUFFIX)] = policy
    return policies
