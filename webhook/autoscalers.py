"""What other autoscalers do with a workload, as far as its sizes are concerned: projections of their objects.

A HorizontalPodAutoscaler with a target of type Utilization divides use by requests (`pkg/controller/podautoscaler/replica_calculator.go`
in kubernetes 1.36), summed over app containers and sidecars, or of one container for a ContainerResource metric. Targets of other types
and Pods, Object and External metrics do not read requests.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from stowplan.model.workload import WorkloadKey
from webhook.containers import COMPUTE, Container, Role
from webhook.stores import Targeted

_V = TypeVar("_V")


class HorizontalAutoscaler(msgspec.Struct, frozen=True, gc=False):
    """A HorizontalPodAutoscaler that divides by requests."""

    name: str
    resources: tuple[str, ...]
    """By which it scales on the use of the whole pod."""
    of_containers: tuple[tuple[str, str], ...]
    """(container, resource) by which it scales on the use of one container."""
    least: int
    most: int
    """Replicas."""

    def divides_by(self, resource: str, container: Container) -> bool:
        """Whether the container's request counts."""
        if (container.name, resource) in self.of_containers:
            return True
        return container.role is not Role.INIT and resource in self.resources


@dataclass(frozen=True, slots=True)
class Scaling:
    """All HorizontalPodAutoscalers of one workload that divide by requests."""

    autoscalers: tuple[HorizontalAutoscaler, ...] = ()

    def dividing_by(self, resource: str, container: Container) -> HorizontalAutoscaler | None:
        """The autoscaler that the container's request counts for, or None."""
        return next((a for a in self.autoscalers if a.divides_by(resource, container)), None)


NO_SCALING: Final = Scaling()


class VerticalAutoscaler(msgspec.Struct, frozen=True, gc=False):
    """A VerticalPodAutoscaler that applies what it recommends."""

    name: str
    of_containers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(container, resources) where its policy names the container."""
    of_others: tuple[str, ...] = COMPUTE
    """Resources of all other containers that it sizes."""

    def controls(self, resource: str, container: Container) -> bool:
        """Whether it sizes the resource of the container."""
        return resource in next((found for name, found in self.of_containers if name == container.name), self.of_others)


@dataclass(frozen=True, slots=True)
class Vertical:
    """All VerticalPodAutoscalers of one workload."""

    autoscalers: tuple[VerticalAutoscaler, ...] = ()

    def controlled(self, container: Container) -> dict[str, str]:
        """The resources of the container that one of them sizes, with its name."""
        return {
            resource: autoscaler.name
            for resource in COMPUTE
            for autoscaler in reversed(self.autoscalers)
            if autoscaler.controls(resource, container)
        }


NO_VERTICAL: Final = Vertical()


_ALL: Final = "*"
"""The container name of a policy for all containers that no other policy names."""


class _Meta(msgspec.Struct):
    name: str
    namespace: str = ""


class _Reference(msgspec.Struct):
    kind: str
    name: str


class _MetricTarget(msgspec.Struct):
    type: str = ""


class _ResourceMetric(msgspec.Struct):
    name: str
    target: _MetricTarget
    container: str = ""


class _Metric(msgspec.Struct, rename="camel"):
    type: str
    resource: _ResourceMetric | None = None
    container_resource: _ResourceMetric | None = None


class _HorizontalSpec(msgspec.Struct, rename="camel"):
    scale_target_ref: _Reference
    max_replicas: int
    min_replicas: int | None = None
    metrics: tuple[_Metric, ...] | None = None


class _Horizontal(msgspec.Struct):
    metadata: _Meta
    spec: _HorizontalSpec


class _UpdatePolicy(msgspec.Struct, rename="camel"):
    update_mode: str | None = None


class _ContainerPolicy(msgspec.Struct, rename="camel"):
    container_name: str = _ALL
    mode: str | None = None
    controlled_resources: tuple[str, ...] | None = None

    @property
    def controlled(self) -> tuple[str, ...]:
        """What is sized: nothing in mode Off, CPU and memory where the policy does not say."""
        if self.mode == "Off":
            return ()
        named = COMPUTE if self.controlled_resources is None else self.controlled_resources
        return tuple(resource for resource in COMPUTE if resource in named)


class _ResourcePolicy(msgspec.Struct, rename="camel"):
    container_policies: tuple[_ContainerPolicy, ...] | None = None


class _VerticalSpec(msgspec.Struct, rename="camel"):
    target_ref: _Reference | None = None
    update_policy: _UpdatePolicy | None = None
    resource_policy: _ResourcePolicy | None = None


class _Vertical(msgspec.Struct):
    metadata: _Meta
    spec: _VerticalSpec


_HORIZONTAL: Final = msgspec.json.Decoder(_Horizontal)
_VERTICAL: Final = msgspec.json.Decoder(_Vertical)
_DEFAULT_METRIC: Final = _Metric("Resource", _ResourceMetric("cpu", _MetricTarget("Utilization")))
"""What the API server fills in where an object names no metric (`SetDefaults_HorizontalPodAutoscaler`: CPU at 80 %)."""


def project_horizontal(raw: bytes | msgspec.Raw) -> Targeted[HorizontalAutoscaler] | None:
    """A HorizontalPodAutoscaler (autoscaling/v2); None where it divides by no CPU or memory request.

    Raises:
        msgspec.DecodeError: no HorizontalPodAutoscaler.
    """
    found = _HORIZONTAL.decode(raw)
    meta, spec = found.metadata, found.spec
    metrics = spec.metrics or (_DEFAULT_METRIC,)
    whole = [m.resource for m in metrics if m.type == "Resource" and m.resource]
    single = [m.container_resource for m in metrics if m.type == "ContainerResource" and m.container_resource]
    resources = tuple(sorted({m.name for m in whole if _divides(m)}))
    of_containers = tuple(sorted({(m.container, m.name) for m in single if _divides(m)}))
    if not resources and not of_containers:
        return None
    least = 1 if spec.min_replicas is None else spec.min_replicas
    value = HorizontalAutoscaler(meta.name, resources, of_containers, least, spec.max_replicas)
    return _targeted(meta, spec.scale_target_ref, value)


def project_vertical(raw: bytes | msgspec.Raw) -> Targeted[VerticalAutoscaler] | None:
    """A VerticalPodAutoscaler (autoscaling.k8s.io/v1); None where it only recommends (`updateMode: Off`).

    Which containers and resources it sizes is read as its admission controller reads it (`GetContainerResourcePolicy` in
    vertical-pod-autoscaler/pkg/utils/vpa): the policy that names the container, else the one for `*`, else CPU and memory.

    Raises:
        msgspec.DecodeError: no VerticalPodAutoscaler.
    """
    found = _VERTICAL.decode(raw)
    policy, target = found.spec.update_policy, found.spec.target_ref
    if target is None or (policy is not None and policy.update_mode == "Off"):
        return None
    resources = found.spec.resource_policy
    policies = (resources.container_policies or ()) if resources is not None else ()
    named = tuple((p.container_name, p.controlled) for p in policies if p.container_name != _ALL)
    others = next((p.controlled for p in policies if p.container_name == _ALL), COMPUTE)
    return _targeted(found.metadata, target, VerticalAutoscaler(found.metadata.name, named, others))


def scaling_of(autoscalers: tuple[HorizontalAutoscaler, ...]) -> Scaling:
    """All of one workload."""
    return Scaling(autoscalers)


def vertical_of(autoscalers: tuple[VerticalAutoscaler, ...]) -> Vertical:
    """All of one workload."""
    return Vertical(autoscalers)


def _divides(metric: _ResourceMetric) -> bool:
    return metric.name in COMPUTE and metric.target.type == "Utilization"


def _targeted(meta: _Meta, target: _Reference, value: _V) -> Targeted[_V]:
    return Targeted(meta.namespace, meta.name, WorkloadKey(meta.namespace, sys.intern(target.kind), target.name), value)
