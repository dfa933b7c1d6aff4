"""From the JSON of the API to the vocabulary: pods, their owners, nodes, namespaces. Decoded once; fields that nobody reads are skipped."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from stowplan.catalog import price_of
from stowplan.catalog.unit_prices import CPU_PRICE, MEMORY_PRICE, SPOT_CPU_PRICE, SPOT_MEMORY_PRICE
from stowplan.kube.owner_projection import Deadline, PodOwner, project_job, project_replica_set, project_stateful_set
from stowplan.kube.pod_projection import project_pod
from stowplan.kube.shapes import NamespaceObject, NodeMeta, NodeObject, NodeStatus
from stowplan.kube.signature_interner import SignatureInterner
from stowplan.model import disruption, keys
from stowplan.model.node import Node
from stowplan.model.quantity import QuantityError, parse_quantity
from stowplan.model.resources import Amounts, parse_amounts
from stowplan.model.selectors import parse_taint

__all__ = [
    "Deadline",
    "Namespace",
    "PodOwner",
    "SignatureInterner",
    "project_job",
    "project_namespace",
    "project_node",
    "project_pod",
    "project_replica_set",
    "project_stateful_set",
]

_SPOT: Final = (
    (keys.CAPACITY_TYPE, "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)
_GIB: Final = 2**30
_LEAST_IMAGE_BYTES: Final = 23 * 10**6
"""Smaller images do not matter: the lower threshold of kube-scheduler's ImageLocality (23 MB)."""
_MOST_IMAGES: Final = 20_000
"""Shared entries; beyond it some are kept twice, which costs memory only."""
_NODE: Final = msgspec.json.Decoder(NodeObject)
_NAMESPACE: Final = msgspec.json.Decoder(NamespaceObject)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its labels."""

    name: str
    labels: Mapping[str, str]


def project_node(raw: bytes | msgspec.Raw) -> Node:
    """The node that the JSON describes, with its price.

    A node whose Ready condition is not True, or that has none because its kubelet has not reported yet, is not ready.

    Raises:
        msgspec.DecodeError: no node.
        QuantityError: an allocatable amount is not a quantity.
    """
    decoded = _NODE.decode(raw)
    meta, spec, status = decoded.metadata, decoded.spec, decoded.status
    labels = meta.get("labels") or {}
    allocatable = parse_amounts(status.get("allocatable"))
    spot = any(labels.get(key) == value for key, value in _SPOT)
    return Node(
        name=meta.get("name", ""),
        allocatable=allocatable,
        labels=labels,
        taints=tuple(parse_taint(taint) for taint in spec.get("taints") or ()),
        unschedulable=bool(spec.get("unschedulable")),
        ready=_ready(status),
        price_micro_usd_per_hour=_price(meta, allocatable, spot=spot),
        instance_type=labels.get(keys.INSTANCE_TYPE, ""),
        capacity_type="spot" if spot else "on-demand",
        zone=labels.get(keys.ZONE, ""),
        images=_images(status),
        kept=_kept(meta),
    )


def _kept(meta: NodeMeta) -> str:
    """The annotation by which the node is to be kept."""
    annotations = meta.get("annotations") or {}
    if annotations.get("cluster-autoscaler.kubernetes.io/scale-down-disabled") == "true":
        return disruption.SCALE_DOWN_DISABLED
    return disruption.DO_NOT_DISRUPT if annotations.get("karpenter.sh/do-not-disrupt") == "true" else ""


def project_namespace(raw: bytes | msgspec.Raw) -> Namespace:
    """The namespace that the JSON describes. Raises `msgspec.DecodeError` where it is none."""
    meta = _NAMESPACE.decode(raw).metadata
    return Namespace(meta.get("name", ""), meta.get("labels") or {})


def _images(status: NodeStatus) -> tuple[tuple[str, int], ...]:
    """The images worth a thought, under every name; equal entries of different nodes are one object."""
    found = {
        _image(name, image["sizeBytes"])
        for image in status.get("images") or ()
        if image.get("sizeBytes", 0) >= _LEAST_IMAGE_BYTES
        for name in image.get("names") or ()
    }
    return tuple(sorted(found))


@lru_cache(maxsize=_MOST_IMAGES)
def _image(name: str, size: int) -> tuple[str, int]:
    return sys.intern(name), size


def _ready(status: NodeStatus) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())


def _price(meta: NodeMeta, allocatable: Amounts, *, spot: bool) -> int:
    """Micro-dollars an hour: what the admin wrote, else the catalog's price of the type, else OpenCost's per core and GiB."""
    labels = meta.get("labels") or {}
    for written in ((meta.get("annotations") or {}).get("stowplan.dev/price-per-hour"), labels.get(keys.PRICE)):
        if written is not None and (price := _dollars(written)) is not None:
            return price
    listed = price_of(labels.get(keys.INSTANCE_TYPE, ""))
    if listed is not None:
        # The catalog lists on-demand prices; spot is taken at OpenCost's ratio of its two CPU prices.
        return listed * SPOT_CPU_PRICE // CPU_PRICE if spot else listed
    cpu_price, memory_price = (SPOT_CPU_PRICE, SPOT_MEMORY_PRICE) if spot else (CPU_PRICE, MEMORY_PRICE)
    return allocatable.get("cpu", 0) * cpu_price // 1000 + allocatable.get("memory", 0) * memory_price // _GIB


def _dollars(written: str) -> int | None:
    """Dollars as micro-dollars; None where the text is no price, so that a typing error cannot make a node free."""
    try:
        price = round(parse_quantity(written) * 1_000_000)
    except QuantityError:
        return None
    return price if price >= 0 else None
