"""The live extender on a trace: the real decider and the real planner loop, fed with the events that an API server would send.

Policies of the simulator whose scores are the decider's answers. `LiveExtender`: nothing is planned ahead (pods come one by one), so what
decides is the walk by expected cost; the planner only learns and publishes values. `LiveBatches`: pods of one moment are planned together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from extender.binpacking.planning import make_plan
from extender.cluster.cache import Cache
from extender.deciding.decider import Clocks, Decider
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.offered import ExtenderArgs
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.feeding.feed import NodeFeed, PodFeed
from extender.lifetimes.node_values import NodeValues
from extender.metrics import ExtenderMetrics
from extender.plan import EMPTY_PLAN, Plan
from extender.planner.child import PlannerLoop
from extender.planner.lives import Lives
from extender.planner.messages import Events, Failed, Message, Planned, Synced, Valued, decode, encode
from extender.settings import ExtenderSettings
from simulator.cluster import Cluster, Ints
from simulator.policies.policy import Policy, Scores
from simulator.policies.stowplan import owner_of
from simulator.trace import GPU_SCALE, NodeRow, PodRow, PodShape, Trace
from stowplan.kube.codec import ObjectKey
from stowplan.kube.projection import SignatureInterner, project_pod
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.node import Node

_HEADER_BYTES: Final = 4
_MODEL: Final = "nvidia.com/gpu.product"
_LONG_ENOUGH_S: Final = 10.0
"""After the last event a plan is due."""


class LiveExtender(Policy):
    """See the module. Every pod has to arrive by itself or with others of its owner. For traces without GPUs; see `LiveGpus`.

    Args:
        epoch_s: Unix time of the trace's zero; Kubernetes takes a creation time of 0 for none.
    """

    def __init__(self, epoch_s: int = 1_000_000) -> None:
        self._epoch_s = epoch_s
        self._now = float(epoch_s)
        self._steady = 0.0
        self._plan = EMPTY_PLAN
        self._values: NodeValues | None = None
        self._names: dict[int, str] = {}
        self._opened = 0
        self._interner = SignatureInterner()
        self.failures: list[str] = []
        """What the planner loop complained about."""

    @property
    def static(self) -> bool:
        """The decider is asked for every pod."""
        return False

    def start(self, cluster: Cluster, trace: Trace, seed: int) -> None:
        """A new extender that sees the cluster's nodes."""
        del seed
        reservations = Reservations(lambda: self._now)
        ledger, nodes, cache = SlotLedger(reservations), NodeLedger(), Cache()
        self._stay, self._ledger = not trace.elastic, nodes
        self._loop = PlannerLoop(self._receive, lambda: self._steady, self._make_plan, Lives(self._time, self._time))
        self._node_feed = NodeFeed(cache, self._forward)
        self._pod_feed = PodFeed(cache, reservations, ledger, self._forward, nodes)
        self._decider = Decider(
            settings=ExtenderSettings(),
            cache=cache,
            ledger=ledger,
            reservations=reservations,
            plan=lambda: self._plan,
            trouble=lambda: None,
            metrics=ExtenderMetrics(lambda: self._now),
            clocks=Clocks(lambda: self._now, lambda: self._now),
            nodes=nodes,
            values=lambda: self._values,
        )
        self._loop.receive(Synced())
        if not trace.elastic:
            for slot in range(cluster.slots):
                self._open(cluster, slot)

    def scores(self, cluster: Cluster, pod: PodRow, nodes: Ints, now: int) -> Scores:
        """One for the node that the extender narrows to, zero for the others."""
        del cluster
        self._advance(now)
        self._ledger.renew(stay=self._stay)
        names = [self._names[slot] for slot in nodes.tolist()]
        raw = msgspec.Raw(json.dumps(self._manifest(pod, "")).encode())
        kept = names if len(names) == 1 else self._decider.filter(ExtenderArgs(raw, names))
        if len(kept) != 1:
            raise RuntimeError(f"pod {pod.name}: the extender left {len(kept)} of {len(names)} nodes; one was expected")
        chosen: Scores = (np.array(names) == kept[0]).astype(np.float64)
        return chosen

    def placed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """The watch shows the pod bound; an opened node first."""
        self._advance(now)
        if slot not in self._names:
            self._open(cluster, slot)
        manifest = json.dumps(self._manifest(pod, self._names[slot])).encode()
        self._pod_feed.upsert(project_pod(manifest, self._interner))

    def departed(self, cluster: Cluster, pod: PodRow, slot: int, now: int) -> None:
        """The watch shows the pod gone, and the node where it was closed."""
        self._now = float(self._epoch_s + now)
        self._pod_feed.delete(ObjectKey(pod.namespace, pod.name, str(pod.index)))
        if not cluster.active[slot]:
            name = self._names.pop(slot)
            self._node_feed.delete(ObjectKey("", name, name))
        self._decider.view()

    def _time(self) -> float:
        return self._now

    def _advance(self, now: int) -> None:
        self._now = float(self._epoch_s + now)
        self._loop.tick()

    def _open(self, cluster: Cluster, slot: int) -> None:
        self._opened += 1
        row = cluster.types[cluster.kind[slot]]
        name = self._names[slot] = f"node-{self._opened:06d}"
        allocatable = {
            "cpu": row.cpu_millicores,
            "memory": row.memory_bytes,
            "pods": row.max_pods,
            **self._devices(row),
        }
        labels = {_MODEL: row.gpu_model} if row.gpu_model else {}
        self._node_feed.upsert(Node(name, allocatable, labels, price_micro_usd_per_hour=row.price_micro_usd_per_hour))
        self._decider.view()

    def _manifest(self, pod: PodRow, node: str) -> dict[str, Any]:
        """The pod as the API server would send it; the owner is a StatefulSet of the trace's owner's name."""
        shape = pod.shape
        requests = {"cpu": f"{shape.cpu_millicores}m", "memory": str(shape.memory_bytes), **self._asked(shape)}
        models = [{"key": _MODEL, "operator": "In", "values": list(shape.gpu_models)}] if shape.gpu_models else []
        required = {"nodeSelectorTerms": [{"matchExpressions": models}]}
        owner = [{"kind": "StatefulSet", "name": pod.owner, "uid": pod.owner, "controller": True}] if pod.owner else []
        created = np.datetime64(self._epoch_s + pod.arrival_s, "s")
        return {
            "metadata": {
                "name": pod.name, "namespace": pod.namespace, "uid": str(pod.index), "ownerReferences": owner,
                "creationTimestamp": f"{created}Z",
            },
            "spec": {
                "schedulerName": SCHEDULER_NAME, "nodeName": node,
                "containers": [{"name": "app", "resources": {"requests": requests}}],
                **({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}} if models else {}),
            },
        }  # fmt: skip

    def _devices(self, row: NodeRow) -> dict[str, int]:
        """GPUs that a node shows."""
        del row
        return {}

    def _asked(self, shape: PodShape) -> dict[str, str]:
        """GPUs that a pod asks for."""
        del shape
        return {}

    def _forward(self, method: str, *arguments: object) -> None:
        self._loop.receive(Events(((method, arguments),)))

    def _receive(self, message: Message) -> None:
        """Through the wire format and back: the planner is another process."""
        match decode(encode(message)[_HEADER_BYTES:]):
            case Valued(values):
                self._values = values
            case Planned(plan):
                self._plan = plan
            case Failed(what, error):
                self.failures.append(f"{what}: {error}")

    @staticmethod
    def _make_plan(*_: object, **__: object) -> Plan:
        return EMPTY_PLAN


class LiveGpus(LiveExtender):
    """The same for pods that ask for GPUs and never leave; those that wait are seen before they are asked about.

    Args:
        shared: whether nodes show the memory of their devices (gpushare) and pods ask for a share of one; else devices are whole.
    """

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self._shared = shared

    def arrived(self, pod: PodRow, now: int) -> None:
        """The watch shows the pod waiting."""
        self._advance(now)
        self._pod_feed.upsert(project_pod(json.dumps(self._manifest(pod, "")).encode(), self._interner))

    def _devices(self, row: NodeRow) -> dict[str, int]:
        if not row.gpu_count:
            return {}
        shown = {"aliyun.com/gpu-count": row.gpu_count, "aliyun.com/gpu-mem": row.gpu_count * GPU_SCALE}
        return shown if self._shared else {"nvidia.com/gpu": row.gpu_count}

    def _asked(self, shape: PodShape) -> dict[str, str]:
        if not shape.gpu_count:
            return {}
        if self._shared:
            return {"aliyun.com/gpu-mem": str(shape.gpu_total)}
        return {"nvidia.com/gpu": str(shape.gpu_count)}


class LiveBatches(LiveExtender):
    """The same with pods that wait together, as behind scheduling gates: all of one moment are seen before the first is asked about.

    Plans are greedy, and made once something was learned; until then the walk decides, pod by pod in the policy's order.
    """

    def order(self, pods: Sequence[PodRow]) -> Sequence[PodRow]:
        """Owner by owner; which of them goes where the plan has decided by then."""
        ordered = sorted(pods, key=owner_of)
        self._advance(ordered[0].arrival_s)
        for pod in ordered:
            self._pod_feed.upsert(project_pod(json.dumps(self._manifest(pod, "")).encode(), self._interner))
        self._steady += _LONG_ENOUGH_S
        self._loop.tick()
        return ordered

    @staticmethod
    def _make_plan(*arguments: Any, **options: Any) -> Plan:
        return make_plan(*arguments, **{**options, "time_limit_s": 0.0}) if options["outlook"] else EMPTY_PLAN
