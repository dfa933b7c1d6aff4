"""Which workload a pod belongs to, by a name that outlives the pod, the revision of its template and the run of its job.

Webhook and recommender name workloads here, so that what one has learned the other finds. Objects that are made anew for each revision
or run (ReplicaSet, Job) are passed over for what controls them; a StatefulSet, Deployment, DaemonSet or custom resource is the workload
itself: what stands above one of those often controls others with other needs. The rules by name need nothing but the pod; `ControllerOf`
adds what watches have seen of ReplicaSets and Jobs, and wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

CRON_JOB_RUN: Final = re.compile(r"(?P<name>.+)-[0-9]{8,11}")
"""The CronJob controller appends the scheduled minute since 1970 to the name of each Job."""
SPARK_APPLICATION: Final = "sparkoperator.k8s.io/app-name"
"""Label of the Spark operator on drivers and executors; the latter are controlled by the driver's pod."""
PASSING: Final = frozenset({"ReplicaSet", "Job"})
"""Kinds made anew for each revision or run."""
_REVISIONS: Final = (("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout"))
"""Label with the suffix of the ReplicaSet's name, and who makes such ReplicaSets (Kubernetes, Argo Rollouts)."""
_API_VERSIONS: Final = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Pod": "v1",
    "Rollout": "argoproj.io/v1alpha1",
}


class Controller(NamedTuple):
    """A controlling owner reference."""

    kind: str
    name: str
    api_version: str = ""


ControllerOf = Callable[[str, str, str], Controller | None]
"""What controls an object of a namespace, kind and name, as far as it has been seen."""


class WorkloadKey(NamedTuple):
    """Names a workload in a cluster."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload of a pod. For a Deployment's pod `kind` is Deployment, while the owner is the ReplicaSet."""

    namespace: str
    kind: str
    name: str
    owner_kind: str = ""
    """The controlling owner, empty for a bare pod: what the replica count is looked up by."""
    owner_name: str = ""
    api_version: str = ""
    """Of the kind; empty where unknown."""

    @property
    def key(self) -> WorkloadKey:
        """Namespace, kind and name."""
        return WorkloadKey(self.namespace, self.kind, self.name)

    @property
    def identity(self) -> str:
        """Stable over pods and rollouts; input of the canary's and the decision's hash."""
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class PodNames:
    """What names a pod."""

    namespace: str
    name: str
    generate_name: str = ""
    labels: Mapping[str, str] | None = None


def nothing_seen(_namespace: str, _kind: str, _name: str) -> None:
    """A `ControllerOf` that has seen nothing."""


def workload_of(pod: PodNames, owner: Controller | None, controller_of: ControllerOf = nothing_seen) -> Workload:
    """The workload of a pod with that controlling owner; a bare pod is its own, by `generateName` where it has one."""
    labels = pod.labels or {}
    if owner is None:
        return Workload(pod.namespace, "Pod", (pod.generate_name or pod.name).rstrip("-"), api_version="v1")
    top = _above(pod.namespace, owner, labels, controller_of)
    api_version = top.api_version or _API_VERSIONS.get(top.kind, "")
    return Workload(pod.namespace, top.kind, top.name, owner.kind, owner.name, api_version)


def _above(namespace: str, owner: Controller, labels: Mapping[str, str], controller_of: ControllerOf) -> Controller:
    if owner.kind == "Pod" and (application := labels.get(SPARK_APPLICATION)):
        return Controller("SparkApplication", application)
    if owner.kind not in PASSING:
        return owner
    return controller_of(namespace, owner.kind, owner.name) or controller_by_name(owner, labels) or owner


def controller_by_name(owner: Controller, labels: Mapping[str, str]) -> Controller | None:
    """What a ReplicaSet or Job is controlled by, as far as names tell: the labels are its own or those of its pods."""
    if owner.kind == "ReplicaSet":
        for label, kind in _REVISIONS:
            suffix = labels.get(label, "")
            if suffix and owner.name.endswith(f"-{suffix}"):
                return Controller(kind, owner.name.removesuffix(f"-{suffix}"), _API_VERSIONS[kind])
    if owner.kind == "Job" and (run := CRON_JOB_RUN.fullmatch(owner.name)):
        return Controller("CronJob", run["name"], _API_VERSIONS["CronJob"])
    return None


_SUFFIX: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What the API server appends to a `generateName` (k8s.io/apiserver, names.SimpleNameGenerator)."""
_HASH: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{1,10}")
_ORDINAL: Final = re.compile(r"-[0-9]{1,6}")
_MINUTE: Final = re.compile(r"-[0-9]{8,11}")


def guesses(pod_name: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of workloads that a pod of that name may have belonged to, the likeliest first: for pods that are gone."""
    stem, suffix = _cut(pod_name)
    if _SUFFIX.fullmatch(suffix):
        upper, revision = _cut(stem)
        if _MINUTE.fullmatch(revision):
            yield "CronJob", upper
        if _HASH.fullmatch(revision):
            yield "Deployment", upper
            yield "Rollout", upper
        yield from ((kind, stem) for kind in ("DaemonSet", "Job", "ReplicaSet", "Pod"))
    if _ORDINAL.fullmatch(suffix):
        yield "StatefulSet", stem
    yield "Pod", pod_name


def _cut(name: str) -> tuple[str, str]:
    stem, dash, rest = name.rpartition("-")
    return (stem, f"-{rest}") if dash else (name, "")
