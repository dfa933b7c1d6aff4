"""What became of every pod of a run, seen through a watch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from demo.manifests import WORKLOAD_LABEL
from demo.timeline import Resident, Timeline
from stowplan.kube.codec import ObjectKey
from stowplan.model import keys
from stowplan.model.quantity import parse_amount

_FINISHED = frozenset({"Succeeded", "Failed"})


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    uid: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class _Resources(msgspec.Struct):
    requests: dict[str, str] = msgspec.field(default_factory=dict)


class _Container(msgspec.Struct):
    resources: _Resources = msgspec.field(default_factory=_Resources)


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    node_name: str = ""
    scheduler_name: str = ""
    priority_class_name: str = ""


class _Condition(msgspec.Struct):
    type: str
    status: str
    message: str = ""


class _Status(msgspec.Struct):
    phase: str = "Pending"
    conditions: list[_Condition] = msgspec.field(default_factory=list)


class PodView(msgspec.Struct):
    """The fields of a Pod that the demo looks at."""

    metadata: _Meta
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)

    def requested(self, resource: str) -> int:
        """Sum of the containers' requests, in millicores or bytes."""
        return sum(
            parse_amount(resource, container.resources.requests.get(resource, "0"))
            for container in self.spec.containers
        )


_DECODER = msgspec.json.Decoder(PodView)


def project(raw: msgspec.Raw) -> PodView:
    """Decode one Pod. Raises `msgspec.DecodeError` when it is none."""
    return _DECODER.decode(raw)


@dataclass(slots=True)
class PodRecord:
    """One pod and its moments, in seconds on the clock of the run."""

    name: str
    uid: str
    workload: str
    workload_class: str
    created: float
    node: str = ""
    bound: float | None = None
    running: float | None = None
    scheduler_name: str = ""
    priority_class: str = ""
    cpu_millicores: int = 0
    memory_bytes: int = 0
    why: str = ""
    """The webhook's sentence."""
    refused: str = ""
    """What the scheduler said last when it found no node."""


@dataclass(slots=True)
class PodLedger:
    """The handler of the pods' reflector: one record per pod that ever was, and the timeline of the nodes."""

    timeline: Timeline
    clock: Callable[[], float]
    """Seconds since the start of the run."""
    records: dict[str, PodRecord] = field(default_factory=dict)

    def replace(self, items: Sequence[PodView]) -> None:
        """After a full list: everything named is seen again, everything else has left."""
        listed = {item.metadata.uid for item in items}
        for uid in [uid for uid in self.timeline.residents if uid not in listed]:
            self.timeline.leave(uid, self.clock())
        for item in items:
            self.upsert(item)

    def upsert(self, item: PodView) -> None:
        """Note what is new about a pod."""
        now = self.clock()
        record = self.records.get(item.metadata.uid)
        if record is None:
            record = self.records[item.metadata.uid] = _new_record(item, now)
        if item.spec.node_name and record.bound is None:
            record.node, record.bound, record.refused = item.spec.node_name, now, ""
        if item.status.phase == "Running" and record.running is None:
            record.running = now
        if item.status.phase in _FINISHED:
            self.timeline.leave(record.uid, now)
        elif record.node:
            self.timeline.arrive(record.uid, Resident(record.node, record.cpu_millicores, record.memory_bytes), now)
        else:
            record.refused = _refusal(item) or record.refused

    def delete(self, key: ObjectKey) -> None:
        """A pod is gone."""
        self.timeline.leave(key.uid, self.clock())

    def bound_by_workload(self) -> Mapping[str, int]:
        """Number of pods of each workload that ever got a node."""
        counts: dict[str, int] = {}
        for record in self.records.values():
            if record.bound is not None:
                counts[record.workload] = counts.get(record.workload, 0) + 1
        return counts


def _new_record(item: PodView, now: float) -> PodRecord:
    labels = item.metadata.labels
    return PodRecord(
        name=item.metadata.name,
        uid=item.metadata.uid,
        workload=labels.get(WORKLOAD_LABEL, ""),
        workload_class=labels.get(keys.CLASS, ""),
        created=now,
        scheduler_name=item.spec.scheduler_name,
        priority_class=item.spec.priority_class_name,
        cpu_millicores=item.requested("cpu"),
        memory_bytes=item.requested("memory"),
        why=item.metadata.annotations.get(keys.WHY, ""),
    )


def _refusal(item: PodView) -> str:
    return next((c.message for c in item.status.conditions if c.type == "PodScheduled" and c.status == "False"), "")
