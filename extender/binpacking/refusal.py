"""Why a pod does not fit a node, as a value: a reason from a closed enum, numbers, and whether a later placement may cure it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stowplan.model.resources import Shortfall


class RefusalReason(StrEnum):
    """Why a node refuses a pod, in the order in which kube-scheduler's filters would say so."""

    NOT_READY = "NotReady"
    """The node is cordoned or not ready; the plan never uses such a node."""
    UNTOLERATED_TAINT = "UntoleratedTaint"
    NODE_AFFINITY = "NodeAffinity"
    """`spec.nodeSelector` or the required node affinity does not match."""
    HOST_PORT = "HostPort"
    INSUFFICIENT_RESOURCES = "InsufficientResources"
    DEVICE_SHARE = "DeviceShare"
    """The node has enough of a shared device in all, but no single device has."""
    TOPOLOGY_KEY_MISSING = "TopologyKeyMissing"
    """The node has no label of a topology key that a hard spread or a required affinity term names."""
    SPREAD = "TopologySpread"
    AFFINITY = "PodAffinity"
    """No pod that the required affinity asks for is in the node's domain."""
    ANTI_AFFINITY = "PodAntiAffinity"
    """A required anti-affinity, of the pod or of a pod in the node's domain, keeps them apart."""
    REPLICA_LIMIT = "ReplicaLimit"
    """The node, or its spot pool, has as many pods of the service as its owner or class allows; kube-scheduler does not know the limit."""
    GANG = "Gang"
    """The pod's group needs more pods at once than wait or find room."""
    NO_NODES = "NoNodes"
    """The cluster has none."""
    LEFT_TO_SCHEDULER = "LeftToScheduler"
    """The pod has needs that the plan does not model; kube-scheduler places it alone."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One node's answer to one pod."""

    reason: RefusalReason
    shortfalls: tuple[Shortfall, ...] = ()
    passing: bool = False
    """Whether placing other pods may lift it (affinity and spread; everything else only gets worse)."""
