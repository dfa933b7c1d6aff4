"""From the JSON of the API to what a decision needs: owners, nodes, the scheduler's Lease, and whole objects by their parsers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from stowplan.model.keys import ZONE
from stowplan.model.quantity import parse_amount
from webhook.node_room import shape_of
from webhook.stores import Entry, LeaseRecord, NodeFacts

V = TypeVar("V")

_DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
_DEFAULT_LEASE_SECONDS: Final = 15


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _OwnerSpec(msgspec.Struct, frozen=True, rename="camel"):
    replicas: int | None = None
    parallelism: int | None = None
    completions: int | None = None


class _OwnerObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _OwnerSpec = _OwnerSpec()


class _NodeStatus(msgspec.Struct, frozen=True):
    allocatable: dict[str, str | int | float] = {}


class _NodeObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: _NodeStatus = _NodeStatus()


class _LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    renew_time: str | None = None
    lease_duration_seconds: int | None = None


class _LeaseObject(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _LeaseSpec = _LeaseSpec()


def project_owner(raw: msgspec.Raw) -> Entry[int]:
    """How many pods an owner wants: replicas, a Deployment's total for its ReplicaSet, or a Job's parallelism."""
    owner = msgspec.json.decode(raw, type=_OwnerObject)
    meta, spec = owner.metadata, owner.spec
    if spec.parallelism is not None:
        count = min(spec.parallelism, spec.completions if spec.completions is not None else spec.parallelism)
    else:
        count = 1 if spec.replicas is None else spec.replicas
    desired = (meta.annotations or {}).get(_DESIRED_REPLICAS, "")
    if desired.isascii() and desired.isdecimal():  # during a rollout the ReplicaSet grows step by step
        count = max(count, int(desired))
    return Entry(meta.namespace, meta.name, count)


def project_node(raw: bytes | msgspec.Raw) -> Entry[NodeFacts]:
    """Zone and allocatable CPU and memory of a node."""
    node = msgspec.json.decode(raw, type=_NodeObject)
    cpu, memory = (parse_amount(r, node.status.allocatable.get(r, 0)) for r in ("cpu", "memory"))
    zone = (node.metadata.labels or {}).get(ZONE, "")
    return Entry("", node.metadata.name, NodeFacts(zone, shape_of(cpu, memory)))


def project_lease(raw: msgspec.Raw) -> Entry[LeaseRecord]:
    """What tells a renewal of a Lease."""
    lease = msgspec.json.decode(raw, type=_LeaseObject)
    spec = lease.spec
    seconds = float(spec.lease_duration_seconds or _DEFAULT_LEASE_SECONDS)
    record = LeaseRecord(spec.holder_identity or "", spec.renew_time or "", seconds)
    return Entry(lease.metadata.namespace, lease.metadata.name, record)


def project_with(parse: Callable[[Mapping[str, Any]], V]) -> Callable[[msgspec.Raw], Entry[V]]:
    """A projection from a parser of the whole object."""

    def project(raw: msgspec.Raw) -> Entry[V]:
        obj = msgspec.json.decode(raw)
        return Entry(obj["metadata"].get("namespace", ""), obj["metadata"]["name"], parse(obj))

    return project
