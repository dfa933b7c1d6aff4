"""From the JSON of a pod to what the recommender knows of it. What the pods of one template share is one object."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from recommender.workloads.features import application, features_of
from stowplan.kube.shapes import Quantities
from stowplan.model import keys
from stowplan.model.profile import WorkloadMode
from stowplan.model.quantity import QuantityError, parse_amount
from stowplan.model.workload import Controller
from stowplan.model.workload_class import Cost

_NAMING: Final = frozenset({"pod-template-hash", "rollouts-pod-template-hash", "sparkoperator.k8s.io/app-name"})
"""Labels that `stowplan.model.workload` reads."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as the pod asks for it; amounts are millicores and bytes, 0: none."""

    name: str
    image: str
    command: tuple[str, ...]
    cpu: int
    memory: int
    cpu_limit: int
    cpu_is_ours: bool = False
    """Whether the webhook wrote the request; else it is the user's (or the namespace's)."""
    memory_is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """What the pods of a template have in common."""

    namespace: str
    owner: Controller | None
    generate_name: str
    labels: tuple[tuple[str, str], ...]
    """Those that name the workload."""
    class_label: str
    """What the pods ask for; empty: nothing."""
    decided_class: str
    """What the webhook decided; empty: nothing."""
    cost: Cost | None
    mode: WorkloadMode | None
    application: str
    restarts_always: bool
    containers: tuple[ContainerSpec, ...]
    """Apps and sidecars."""
    init_containers: tuple[ContainerSpec, ...]
    """Those that end before the apps start."""

    @property
    def all_containers(self) -> tuple[ContainerSpec, ...]:
        """Apps, sidecars and init containers."""
        return (*self.containers, *self.init_containers)

    def features(self, container: ContainerSpec, class_name: str) -> dict[str, str]:
        """What makes one of its containers similar to others."""
        return features_of(
            namespace=self.namespace,
            class_name=class_name,
            container=container.name,
            image=container.image,
            command=container.command,
            app=self.application,
            others=[other.image for other in self.containers if other is not container],
        )


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod."""

    uid: str
    name: str
    template: Template
    created_s: int
    running: bool
    """Bound to a node and not finished."""
    finished: bool
    preparing: bool
    """Not all init containers have ended, or no app has started yet."""
    started: tuple[tuple[str, int], ...]
    """When each running container started, Unix seconds."""


class Templates:
    """Lets equal templates share one object; bounded, beyond `limit` the oldest is forgotten (which costs memory only)."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._known: dict[Template, Template] = {}

    def shared(self, template: Template) -> Template:
        """The one object that stands for all equal templates."""
        found = self._known.setdefault(template, template)
        if len(self._known) > self._limit:
            self._known.pop(next(iter(self._known)))
        return found


class _Resources(msgspec.Struct, gc=False):
    requests: Quantities | None = None
    limits: Quantities | None = None


class _Container(msgspec.Struct, rename="camel", gc=False):
    name: str
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    restart_policy: str | None = None
    resources: _Resources | None = None


class _Owner(msgspec.Struct, rename="camel", gc=False):
    kind: str = ""
    name: str = ""
    api_version: str = ""
    controller: bool | None = None


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    generate_name: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None
    creation_timestamp: datetime | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""
    restart_policy: str = "Always"
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _Running(msgspec.Struct, rename="camel", gc=False):
    started_at: datetime | None = None


class _State(msgspec.Struct, gc=False):
    running: _Running | None = None


class _ContainerStatus(msgspec.Struct, gc=False):
    name: str
    state: _State | None = None


class _Status(msgspec.Struct, rename="camel"):
    phase: str = ""
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None


class _Pod(msgspec.Struct):
    metadata: _Meta
    spec: _Spec
    status: _Status | None = None


_POD: Final = msgspec.json.Decoder(_Pod)
_COMMAND_WORDS: Final = 3


def project_pod_view(raw: bytes | msgspec.Raw, templates: Templates) -> PodView:
    """What the recommender knows of a pod.

    Raises:
        msgspec.DecodeError: no pod.
    """
    pod = _POD.decode(raw)
    meta, status = pod.metadata, pod.status or _Status()
    finished = status.phase in ("Succeeded", "Failed")
    statuses = (*(status.init_container_statuses or ()), *(status.container_statuses or ()))
    started = tuple(
        (sys.intern(s.name), int(s.state.running.started_at.timestamp()))
        for s in statuses
        if s.state is not None and s.state.running is not None and s.state.running.started_at is not None
    )
    return PodView(
        uid=meta.uid,
        name=meta.name,
        template=templates.shared(_template(meta, pod.spec)),
        created_s=int(meta.creation_timestamp.timestamp()) if meta.creation_timestamp else 0,
        running=bool(pod.spec.node_name) and not finished,
        finished=finished,
        preparing=status.phase == "Pending",
        started=started,
    )


def _template(meta: _Meta, spec: _Spec) -> Template:
    labels, annotations = meta.labels or {}, meta.annotations or {}
    record = _record(annotations.get(keys.DECISION, ""))
    sidecars = [c for c in spec.init_containers or () if c.restart_policy == "Always"]
    ending = [c for c in spec.init_containers or () if c.restart_policy != "Always"]
    cost, mode = labels.get(keys.COST, ""), record.get("mode", "")
    return Template(
        namespace=sys.intern(meta.namespace),
        owner=_controller(meta),
        generate_name="" if meta.owner_references else meta.generate_name,
        labels=tuple(sorted((key, labels[key]) for key in _NAMING & labels.keys())),
        class_label=labels.get(keys.CLASS, ""),
        decided_class=annotations.get(keys.CLASS_REVISION, "").rpartition(".r")[0],
        cost=Cost(cost) if cost in set(Cost) else None,
        mode=WorkloadMode(mode) if mode in set(WorkloadMode) else None,
        application=application(labels),
        restarts_always=spec.restart_policy == "Always",
        containers=tuple(_container(c, record) for c in (*(spec.containers or ()), *sidecars)),
        init_containers=tuple(_container(c, record) for c in ending),
    )


def _controller(meta: _Meta) -> Controller | None:
    for owner in meta.owner_references or ():
        if owner.controller:
            return Controller(owner.kind, owner.name, owner.api_version)
    return None


def _record(text: str) -> Mapping[str, Any]:
    """The webhook's decision; nothing where there is none, or one that cannot be read."""
    if not text:
        return {}
    try:
        record = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return record if isinstance(record, dict) else {}


def _container(of: _Container, record: Mapping[str, Any]) -> ContainerSpec:
    resources = of.resources or _Resources()
    words = tuple(word[:120] for word in (*(of.command or ()), *(of.args or ()))[:_COMMAND_WORDS])
    decided = record if record.get("main") == of.name else (record.get("others") or {}).get(of.name) or {}
    return ContainerSpec(
        name=sys.intern(of.name),
        image=of.image,
        command=words,
        cpu=_amount(resources.requests, resources.limits, "cpu"),
        memory=_amount(resources.requests, resources.limits, "memory"),
        cpu_limit=_amount(resources.limits, None, "cpu"),
        cpu_is_ours="set" in (decided.get("cpu") or {}),
        memory_is_ours="set" in (decided.get("memory") or {}),
    )


def _amount(first: Quantities | None, then: Quantities | None, resource: str) -> int:
    for quantities in (first, then):
        written = (quantities or {}).get(resource)
        if written is not None:
            try:
                return max(0, parse_amount(resource, written))
            except QuantityError:
                return 0
    return 0
