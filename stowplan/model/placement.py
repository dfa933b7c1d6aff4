"""What an owner asks of the placement beyond Kubernetes' own fields: limits of replicas per node and per spot pool, all or nothing.

Written as annotations on the pod template (`docs/reference/labels.md`). None of it can make a pod wait: kube-scheduler does not know it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from stowplan.model import keys
from stowplan.model.node import Node
from stowplan.model.pod import Gang, PodSignature, ReplicaLimit
from stowplan.model.workload_class import WorkloadClass

Service = tuple[str, str]
"""Namespace and name of the workload whose pods serve the same purpose, over all its revisions."""

_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,5})(%?)")
_TEMPLATE_HASH: Final = "pod-template-hash"
_SPOT: Final = "spot"
_DIGITS: Final = 6
_PERCENT: Final = 100


def parse_replica_limit(written: str | None) -> ReplicaLimit | None:
    """`3`, or `30%` of the service's replicas; None where nothing, or nothing sensible, is written (a pod is never refused for it)."""
    found = _WRITTEN.fullmatch((written or "").strip())
    if found is None:
        return None
    number = int(found[1])
    if found[2]:
        return ReplicaLimit(percent=number) if number <= _PERCENT else None
    return ReplicaLimit(count=number)


def parse_gang(written: str | None, labels: Mapping[str, str], owner: str) -> Gang | None:
    """The group of a pod that needs all or nothing, or None.

    The group is the PodGroup that a label names, else the owner's pods. Its least number is what is written, `all` of them, or what the
    PodGroup says.
    """
    group = next((labels[key] for key in keys.POD_GROUP if labels.get(key)), "")
    text = (written or "").strip()
    if text == "all":
        return Gang(group or owner, whole=True) if group or owner else None
    number = int(text) if text.isdecimal() and len(text) <= _DIGITS else 0
    if number:
        return Gang(group or owner, least=number) if group or owner else None
    return Gang(group) if group else None


def parse_services(written: str | None, namespace: str) -> tuple[Service, ...]:
    """`api, pay/db`: services by name, in the pod's own namespace where none is given; sorted, without what is empty."""
    services = set()
    for part in (written or "").split(","):
        space, _, name = part.strip().rpartition("/")
        if name:
            services.add((space or namespace, name))
    return tuple(sorted(services))


def service_of(signature: PodSignature) -> Service | None:
    """The service a pod belongs to: its owner without the revision's hash; None for a bare pod."""
    _, _, name = signature.owner_key.partition("/")
    if not name:
        return None
    template = dict(signature.labels).get(_TEMPLATE_HASH)
    return signature.namespace, name.removesuffix(f"-{template}") if template else name


def spot_pool(node: Node) -> str | None:
    """The spot capacity pool of a node, instance type and zone: what the provider takes back at once; None on-demand."""
    return f"{node.instance_type}/{node.zone}" if node.capacity_type == _SPOT else None


def per_node(signature: PodSignature, workload_class: WorkloadClass | None) -> ReplicaLimit | None:
    """Most replicas on one node: what the owner wrote, else the class's."""
    return signature.per_node or _of_class(workload_class)


def per_spot_pool(signature: PodSignature, workload_class: WorkloadClass | None) -> ReplicaLimit | None:
    """Most replicas in one spot pool: what the owner wrote, else the class's."""
    return signature.per_spot_pool or _of_class(workload_class)


def _of_class(workload_class: WorkloadClass | None) -> ReplicaLimit | None:
    """A class of tier 0 that spreads over hosts in parts (`hostSkewDivisor`) never loses more than one such part at once."""
    if workload_class is None or workload_class.tier > 0:
        return None
    divisor = workload_class.scheduling.host_skew_divisor
    return ReplicaLimit(percent=-(-_PERCENT // divisor)) if divisor else None
