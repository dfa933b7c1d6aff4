"""The parts of Kubernetes objects that stowplan reads, as msgspec decodes them; every other field is skipped unparsed.

Typed dictionaries, because the functions of `stowplan.model` take mappings; keys are the API's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import msgspec

Quantities = dict[str, str | int | float]


class OwnerReference(TypedDict, total=False):
    """An entry of `metadata.ownerReferences`."""

    kind: str
    name: str
    uid: str
    controller: bool | None


PodAnnotations = TypedDict(
    "PodAnnotations",
    {
        "status.stowplan.dev/class-revision": str,
        "stowplan.dev/gang": str,
        "stowplan.dev/max-per-node": str,
        "stowplan.dev/max-per-spot-pool": str,
        "stowplan.dev/talks-to": str,
        "cluster-autoscaler.kubernetes.io/safe-to-evict": str,
        "karpenter.sh/do-not-disrupt": str,
    },
    total=False,
)
NodeAnnotations = TypedDict(
    "NodeAnnotations",
    {
        "stowplan.dev/price-per-hour": str,
        "cluster-autoscaler.kubernetes.io/scale-down-disabled": str,
        "karpenter.sh/do-not-disrupt": str,
    },
    total=False,
)


class PodMeta(TypedDict, total=False):
    """`metadata` of a pod."""

    uid: str
    name: str
    namespace: str
    labels: dict[str, str] | None
    annotations: PodAnnotations | None
    ownerReferences: list[OwnerReference] | None
    creationTimestamp: datetime | None
    deletionTimestamp: datetime | None


class Port(TypedDict, total=False):
    """A container port."""

    hostIP: str
    hostPort: int
    protocol: str


class Resources(TypedDict, total=False):
    """Requests and limits of a container or a pod."""

    requests: Quantities | None
    limits: Quantities | None


class Container(TypedDict, total=False):
    """A container or init container."""

    image: str | None
    restartPolicy: str | None
    resources: Resources | None
    ports: list[Port] | None


class SchedulingGate(TypedDict):
    """An entry of `spec.schedulingGates`."""

    name: str


class PodSpec(TypedDict, total=False):
    """`spec` of a pod; what is only asked for its presence stays raw."""

    nodeName: str
    schedulerName: str
    priority: int | None
    containers: list[Container] | None
    initContainers: list[Container] | None
    resources: Resources | None
    overhead: Quantities | None
    nodeSelector: dict[str, str] | None
    affinity: dict[str, Any] | None
    tolerations: list[dict[str, Any]] | None
    topologySpreadConstraints: list[dict[str, Any]] | None
    volumes: list[dict[str, msgspec.Raw]] | None
    resourceClaims: list[msgspec.Raw] | None
    schedulingGroup: dict[str, Any] | None
    workloadRef: dict[str, Any] | None


class PodCondition(TypedDict, total=False):
    """A condition of a pod."""

    type: str
    status: str
    reason: str | None


class PodStatus(TypedDict, total=False):
    """`status` of a pod."""

    phase: str
    nominatedNodeName: str
    conditions: list[PodCondition] | None
    startTime: datetime | None


class PodObject(msgspec.Struct):
    """A pod; its spec is decoded where it was not seen before."""

    metadata: PodMeta
    spec: msgspec.Raw
    status: PodStatus = {}


class OwnSpec(TypedDict, total=False):
    """What in the `spec` of a pod is its own rather than its template's."""

    nodeName: str
    activeDeadlineSeconds: int | None
    schedulingGates: list[SchedulingGate] | None


class NodeMeta(TypedDict, total=False):
    """`metadata` of a node or namespace."""

    name: str
    labels: dict[str, str] | None
    annotations: NodeAnnotations | None


class NodeSpec(TypedDict, total=False):
    """`spec` of a node."""

    taints: list[dict[str, Any]] | None
    unschedulable: bool | None


class Condition(TypedDict):
    """A condition of a node."""

    type: str
    status: str


class ContainerImage(TypedDict, total=False):
    """An entry of a node's `status.images`."""

    names: list[str] | None
    sizeBytes: int


class NodeStatus(TypedDict, total=False):
    """`status` of a node."""

    allocatable: Quantities | None
    conditions: list[Condition] | None
    images: list[ContainerImage] | None


class NodeObject(msgspec.Struct):
    """A node."""

    metadata: NodeMeta
    spec: NodeSpec = {}
    status: NodeStatus = {}


class NamespaceObject(msgspec.Struct):
    """A namespace."""

    metadata: NodeMeta
