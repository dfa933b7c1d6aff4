"""What a request costs: a review and a filter call in process, against the same bytes decoded and encoded without a decision."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from prometheus_client import CollectorRegistry

from extender.answering.wire import decode_args, encode_filter_result
from extender.cluster.cache import Cache
from extender.cluster.snapshot import Snapshot
from extender.deciding.decider import Clocks, Decider
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.lifetimes.node_values import NodeValues
from extender.metrics import ExtenderMetrics
from extender.plan import EMPTY_PLAN
from extender.planner.lives import Lives
from extender.settings import ExtenderSettings
from perf import profiles
from perf.instances import Backlog, backlog, signature_of
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.pod import Pod
from webhook.app import AdmissionService
from webhook.review import encode_response, parse_review
from webhook.state import BUILTIN_PRIORITY_CLASSES, ClusterState

NODES: Final = (500, 5000)
_WARM_UP: Final = 50
_HOUR: Final = 3600
_ANY: Final = "name-and-uid-of-the-pod"
_TAKEN: Final = 600
"""Best nodes that are not offered, as to pods that keep away from as many others of their kind."""
_HELD: Final = 20
"""Pods for which room is held at a time: those that have been answered for and are not seen bound yet."""


def measure(rounds: int = 1500) -> list[dict[str, Any]]:
    """One row per request: p50 and p99 in microseconds of processor time, and the median over the baseline's, in turn round by round."""
    rows = [_paired("webhook review", *_review_calls(), rounds)]
    rows += [_paired(f"filter, {nodes} nodes offered", *_filter_calls(nodes), rounds) for nodes in NODES]
    rows.append(_paired(f"filter, {NODES[-1]} nodes but the best {_TAKEN}", *_filter_calls(NODES[-1], _TAKEN), rounds))
    learned = f"review with learned sizes, {profiles.WORKLOADS:,} profiles, over one without"
    rows.append(_paired(learned, *profiles.reviews(profiles.fill(profiles.WORKLOADS)), rounds))
    return rows


def _paired(name: str, ours: Callable[[int], object], baseline: Callable[[int], object], rounds: int) -> dict[str, Any]:
    times: tuple[list[int], list[int]] = ([], [])
    for number in range(rounds + _WARM_UP):
        for call, kept in zip((ours, baseline), times, strict=True):
            started = time.thread_time_ns()
            call(number)
            kept.append(time.thread_time_ns() - started)
    own, base = (sorted(kept[_WARM_UP:]) for kept in times)
    return {
        "request": name,
        "rounds": rounds,
        "p50_us": median(own) / 1000,
        "p99_us": own[len(own) * 99 // 100] / 1000,
        "baseline_p50_us": median(base) / 1000,
        "ratio_p50": round(median(own) / median(base), 2),
    }


def _review_calls() -> tuple[Callable[[int], object], Callable[[int], object]]:
    state = ClusterState(
        classes=BUILTIN_CLASSES, priority_classes=BUILTIN_PRIORITY_CLASSES, scheduler_alive=True, zones=3, synced=True
    )
    service = AdmissionService(lambda: state, CollectorRegistry())
    body = json.dumps(review()).encode()

    def decode_and_allow(_: int) -> bytes:
        return encode_response(parse_review(body).uid, (), (), {})

    return lambda _: service.review(body), decode_and_allow


def review() -> dict[str, Any]:
    """A pod of a Deployment as the API server sends it, with the noise of a real one."""
    environment = [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(30)]
    app = {"name": "app", "image": "shop:1.2.3", "env": environment, "ports": [{"containerPort": 8080}]}
    mesh = {"name": "mesh", "image": "mesh:1", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-5d4", "uid": "r", "controller": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "shop-5d4-",
            "labels": {"app": "shop", "stowplan.dev/class": "standard", "pod-template-hash": "5d4"},
            "ownerReferences": [owner],
        },
        "spec": {"containers": [app, mesh], "schedulerName": "default-scheduler", "priority": 0},
    }
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "u", "kind": kind, "namespace": "shop", "operation": "CREATE", "object": pod}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _filter_calls(nodes: int, taken: int = 0) -> tuple[Callable[[int], object], Callable[[int], object]]:
    """Decisions by expected cost on a mostly full cluster: the longer way, as a planned pod needs a look-up only."""
    cache = Cache()
    snapshot = backlog(Backlog(0, nodes), seed=1)
    cache.replace_nodes([info.node for info in snapshot.nodes.values()])
    cache.replace_pods(_residents(snapshot))
    values = _values(snapshot)
    reservations = Reservations(time.monotonic)
    registry = CollectorRegistry()
    decider = Decider(
        settings=ExtenderSettings(),
        cache=cache,
        ledger=SlotLedger(reservations),
        reservations=reservations,
        plan=lambda: EMPTY_PLAN,
        trouble=lambda: None,
        metrics=ExtenderMetrics(time.monotonic, registry),
        clocks=Clocks(time.monotonic, lambda: 0.0),
        values=lambda: values,
    )
    names = list(snapshot.nodes)
    for number in range(taken):
        (best,) = decider.filter(decode_args(_extender_args(f"taken-{number}", names)))
        reservations.release(f"taken-{number}")
        names.remove(best)
    parts = _extender_args(_ANY, names).split(_ANY.encode())

    def decide(number: int) -> bytes:
        args = decode_args(f"pod-{number}".encode().join(parts))  # each pod is asked about once, as in a burst
        reservations.release(f"pod-{number - _HELD}")
        return encode_filter_result(args, decider.filter(args))

    def echo(number: int) -> bytes:
        args = decode_args(f"pod-{number}".encode().join(parts))
        return encode_filter_result(args, list(args.names))  # as an extender that reads what it is sent

    return decide, echo


def _residents(snapshot: Snapshot) -> list[Pod]:
    """The pods that fill the nodes."""
    return [
        Pod(f"{name}-{n}", signature.namespace, f"{name}-{n}", signature, node_name=name)
        for name, info in snapshot.nodes.items()
        for signature, count in info.residents.items()
        for n in range(count)
    ]


def _values(snapshot: Snapshot) -> NodeValues:
    """What the planner has learned: every pod lives an hour on average."""

    def now() -> float:
        return float(_WARM_UP * _HOUR)

    lives = Lives(now, now)
    pods = Cache(observer=lives)
    pods.replace_pods(_residents(snapshot))
    pods.upsert_pod(Pod("ended", "perf", "ended", signature_of("ended", 100, 64), node_name="gone", created_s=1))
    pods.delete_pod("ended")
    values = lives.values(0)
    if values is None:
        raise RuntimeError("no values were published after a pod had ended")
    return values


def _extender_args(uid: str, names: list[str]) -> bytes:
    requests = {"requests": {"cpu": "500m", "memory": "1Gi"}}
    pod = {
        "metadata": {"name": uid, "namespace": "shop", "uid": uid, "labels": {"app": "shop"}},
        "spec": {"schedulerName": SCHEDULER_NAME, "containers": [{"name": "app", "resources": requests}]},
    }
    return json.dumps({"Pod": pod, "Nodes": None, "NodeNames": names}).encode()
