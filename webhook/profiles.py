"""What the webhook keeps of a WorkloadProfile: decoded once, when it arrives, without the checkpoint and the bounds."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Final

import msgspec

from stowplan.model.keys import CHECKPOINT
from stowplan.model.profile import Confidence, Risk, Signal, Source, WorkloadProfile
from stowplan.model.profile_codec import profile_manifest
from stowplan.model.quantity import parse_amount
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import Cost
from webhook.stores import Targeted

NOT_CHECKPOINTS: Final = f"!{CHECKPOINT}"
"""Label selector."""


class ContainerProfile(msgspec.Struct, frozen=True, gc=False):
    """The recommendation for one container under one class; see `stowplan.model.profile.ContainerRecommendation`."""

    name: str
    cpu: int | None
    """Millicores; None is unknown, as for `memory`."""
    memory: int | None
    """Bytes."""
    confidence: Confidence
    source: Source
    formula: str
    samples: int
    days: int
    clamps: tuple[str, ...]
    saving_micro_usd_per_hour: int

    @property
    def target(self) -> dict[str, int]:
        """The known amounts by resource."""
        known = (("cpu", self.cpu), ("memory", self.memory))
        return {resource: amount for resource, amount in known if amount is not None}


class ClassProfile(msgspec.Struct, frozen=True, gc=False):
    """The recommendations under one class."""

    name: str
    cost: Cost
    containers: tuple[ContainerProfile, ...]

    def container(self, name: str) -> ContainerProfile | None:
        """The recommendation for a container, or None."""
        return next((c for c in self.containers if c.name == name), None)


class Halt(msgspec.Struct, frozen=True, gc=False):
    """A step back of the workload; it ends at `until_s`, Unix seconds."""

    signal: Signal
    until_s: int
    message: str


class KeptRisk(msgspec.Struct, frozen=True, gc=False):
    """Declared and achieved risk under one class, in parts per million."""

    workload_class: str
    declared: Risk
    achieved: Risk
    days: int


class LearnedProfile(msgspec.Struct, frozen=True, gc=False):
    """All that a decision on a pod of the workload reads."""

    updated_s: int
    """Unix seconds; 0 is not known."""
    classes: tuple[ClassProfile, ...]
    risk: KeptRisk | None
    halt: Halt | None

    def under(self, workload_class: str) -> ClassProfile | None:
        """The recommendations under a class, or None."""
        return next((c for c in self.classes if c.name == workload_class), None)


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Target(msgspec.Struct):
    kind: str
    name: str


class _Spec(msgspec.Struct, rename="camel"):
    target_ref: _Target


class _Container(msgspec.Struct):
    name: str
    target: dict[str, str | int | float] = {}
    confidence: Confidence = Confidence.LOW
    source: Source = Source.USAGE
    formula: str = ""
    samples: int = 0
    days: int = 0
    clamps: tuple[str, ...] = ()
    saving: int = msgspec.field(name="savingMicroUSDPerHour", default=0)


class _Class(msgspec.Struct):
    name: str = msgspec.field(name="class")
    cost: Cost = Cost.BALANCED
    containers: tuple[_Container, ...] = ()


class _Risk(msgspec.Struct):
    overrun: int = msgspec.field(name="overrunPPM", default=0)
    unmet: int = msgspec.field(name="unmetPPM", default=0)
    breach: int = msgspec.field(name="breachPPM", default=0)


class _RiskPair(msgspec.Struct):
    declared: _Risk = msgspec.field(default_factory=_Risk)
    achieved: _Risk = msgspec.field(default_factory=_Risk)
    days: int = 0


class _Regression(msgspec.Struct):
    until: datetime
    signal: Signal = Signal.RESTARTS
    message: str = ""


class _Status(msgspec.Struct, rename="camel"):
    updated_at: datetime | None = None
    observed_class: str = msgspec.field(name="class", default="")
    recommendations: tuple[_Class, ...] = ()
    risk: _RiskPair | None = None
    regression: _Regression | None = None


class _Object(msgspec.Struct):
    """The part of a WorkloadProfile that is decoded; the checkpoint is skipped without being kept as text."""

    metadata: _Meta
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)


_DECODER: Final = msgspec.json.Decoder(_Object)


def project_profile(raw: bytes | msgspec.Raw) -> Targeted[LearnedProfile]:
    """The profile that an object describes, with the workload it is of.

    Raises:
        msgspec.DecodeError: no WorkloadProfile.
        QuantityError: a recommended amount is no quantity.
    """
    found = _DECODER.decode(raw)
    meta, target, status = found.metadata, found.spec.target_ref, found.status
    risk, halt = status.risk, status.regression
    namespace = sys.intern(meta.namespace)
    return Targeted(
        namespace,
        meta.name,
        WorkloadKey(namespace, sys.intern(target.kind), target.name),
        LearnedProfile(
            updated_s=int(status.updated_at.timestamp()) if status.updated_at is not None else 0,
            classes=tuple(_class(c) for c in status.recommendations),
            risk=None
            if risk is None
            else KeptRisk(sys.intern(status.observed_class), _kept(risk.declared), _kept(risk.achieved), risk.days),
            halt=None if halt is None else Halt(halt.signal, int(halt.until.timestamp()), halt.message),
        ),
    )


def learned_from(profile: WorkloadProfile) -> Targeted[LearnedProfile]:
    """What the webhook would keep of the profile's object."""
    return project_profile(msgspec.json.encode(profile_manifest(profile)))


def latest(profiles: tuple[LearnedProfile, ...]) -> LearnedProfile:
    """The one that counts where several objects name one workload."""
    return max(profiles, key=lambda p: p.updated_s)


def _class(of: _Class) -> ClassProfile:
    return ClassProfile(sys.intern(of.name), of.cost, tuple(_container(c) for c in of.containers))


def _container(of: _Container) -> ContainerProfile:
    """Names and clamps are few words, repeated all over a cluster: interned, they are kept once."""
    amounts = {resource: parse_amount(resource, value) for resource, value in of.target.items()}
    return ContainerProfile(
        name=sys.intern(of.name),
        cpu=amounts.get("cpu"),
        memory=amounts.get("memory"),
        confidence=of.confidence,
        source=of.source,
        formula=of.formula,
        samples=of.samples,
        days=of.days,
        clamps=tuple(sys.intern(clamp) for clamp in of.clamps),
        saving_micro_usd_per_hour=of.saving,
    )


def _kept(risk: _Risk) -> Risk:
    return Risk(risk.overrun, risk.unmet, risk.breach)
