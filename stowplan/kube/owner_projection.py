"""From the JSON of a ReplicaSet, StatefulSet or Job to the number of pods it wants, until when, and to what controls it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict

import msgspec

from stowplan.model.workload import Controller, controller_by_name


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a Job ends all its pods (`spec.activeDeadlineSeconds`). In Unix seconds."""

    began_s: int
    """From when it counts."""
    ends_s: int


@dataclass(frozen=True, slots=True)
class PodOwner:
    """An object that creates pods, and how many it wants to have now."""

    namespace: str
    kind: str
    """As in the owner references of its pods."""
    name: str
    desired: int
    """Pods that are to run at one time, those that run already included; more than 0."""
    deadline: Deadline | None = None


class _Meta(TypedDict, total=False):
    name: str
    namespace: str
    creationTimestamp: datetime | None
    deletionTimestamp: datetime | None


class _ReplicasSpec(TypedDict, total=False):
    replicas: int | None


class _Replicas(msgspec.Struct):
    metadata: _Meta
    spec: _ReplicasSpec = {}


class _JobSpec(TypedDict, total=False):
    parallelism: int | None
    completions: int | None
    suspend: bool | None
    activeDeadlineSeconds: int | None


class _Condition(TypedDict, total=False):
    type: str
    status: str


class _JobStatus(TypedDict, total=False):
    succeeded: int | None
    startTime: datetime | None
    conditions: list[_Condition] | None


class _Job(msgspec.Struct):
    metadata: _Meta
    spec: _JobSpec = {}
    status: _JobStatus = {}


_REPLICAS: Final = msgspec.json.Decoder(_Replicas)
_JOB: Final = msgspec.json.Decoder(_Job)
_ENDING: Final = frozenset({"Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"})
"""Conditions after which the Job controller creates no pod any more (batch/v1, JobConditionType)."""


def project_replica_set(raw: bytes | msgspec.Raw) -> PodOwner | None:
    """The ReplicaSet's wish: `spec.replicas`. None where it wants no pod: old revisions of a Deployment then cost nothing.

    Raises:
        msgspec.DecodeError: no ReplicaSet.
    """
    return _with_replicas("ReplicaSet", raw)


def project_stateful_set(raw: bytes | msgspec.Raw) -> PodOwner | None:
    """The StatefulSet's wish: `spec.replicas`, or None where it wants no pod. Raises `msgspec.DecodeError` where it is none."""
    return _with_replicas("StatefulSet", raw)


def project_job(raw: bytes | msgspec.Raw) -> PodOwner | None:
    """The Job's wish: its parallelism, at most the completions that are still missing. None where it wants no pod.

    That is a Job that is suspended, complete, failed or being deleted, and one without `completions` (a work queue) of which a
    pod has succeeded: its other pods then end by themselves (batch/v1, JobSpec).

    Raises:
        msgspec.DecodeError: no Job.
    """
    job = _JOB.decode(raw)
    met = any(c.get("type") in _ENDING and c.get("status") == "True" for c in job.status.get("conditions") or ())
    if met or job.spec.get("suspend"):
        return None
    parallelism, completions = job.spec.get("parallelism"), job.spec.get("completions")
    succeeded = job.status.get("succeeded") or 0
    at_once = 1 if parallelism is None else parallelism
    if completions is None:
        return _wanting("Job", job.metadata, 0 if succeeded else at_once, _deadline(job))
    return _wanting("Job", job.metadata, min(at_once, completions - succeeded), _deadline(job))


def _deadline(job: _Job) -> Deadline | None:
    """It counts from `status.startTime`, which the Job controller writes after it has created the first pods: until then from the creation.

    Of a Job that was suspended and goes on, nothing is known until then.
    """
    seconds, start = job.spec.get("activeDeadlineSeconds"), job.status.get("startTime")
    if start is None and not any(c.get("type") == "Suspended" for c in job.status.get("conditions") or ()):
        start = job.metadata.get("creationTimestamp")
    if seconds is None or start is None:
        return None
    return Deadline(int(start.timestamp()), int(start.timestamp()) + seconds)


def _with_replicas(kind: str, raw: bytes | msgspec.Raw) -> PodOwner | None:
    decoded = _REPLICAS.decode(raw)
    replicas = decoded.spec.get("replicas")
    return _wanting(kind, decoded.metadata, 1 if replicas is None else replicas)


def _wanting(kind: str, meta: _Meta, desired: int, deadline: Deadline | None = None) -> PodOwner | None:
    if desired <= 0 or meta.get("deletionTimestamp"):
        return None
    return PodOwner(meta.get("namespace", ""), kind, meta.get("name", ""), desired, deadline)


@dataclass(frozen=True, slots=True)
class OwnerLink:
    """A ReplicaSet or Job that is controlled by something else than its name tells."""

    namespace: str
    name: str
    controller: Controller


class _OwnerReference(TypedDict, total=False):
    apiVersion: str
    kind: str
    name: str
    controller: bool | None


class _Linked(TypedDict, total=False):
    name: str
    namespace: str
    labels: dict[str, str] | None
    ownerReferences: list[_OwnerReference] | None


class _LinkedObject(msgspec.Struct):
    metadata: _Linked


_LINKED: Final = msgspec.json.Decoder(_LinkedObject)


def project_owner_link(kind: str, raw: bytes | msgspec.Raw) -> OwnerLink | None:
    """What controls an object of the kind, or None where nothing does, or what its name tells: most objects then cost nothing.

    Raises:
        msgspec.DecodeError: no object.
    """
    meta = _LINKED.decode(raw).metadata
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller"):
            found = Controller(owner.get("kind", ""), owner.get("name", ""), owner.get("apiVersion", ""))
            named = controller_by_name(Controller(kind, meta.get("name", "")), meta.get("labels") or {})
            if named is not None and named[:2] == found[:2]:
                return None
            return OwnerLink(meta.get("namespace", ""), meta.get("name", ""), found)
    return None
