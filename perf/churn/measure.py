"""Rounds of a steady pace of pods, ours and the default scheduler's in turn, and how long each pod waited for its node."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from perf.admission.creates import is_sized, make_namespace
from perf.in_kind.own_nodes import add_nodes
from perf.throughput.burst import Moments, remove_pods, watched
from perf.throughput.workload import cluster
from sandbox.errors import SandboxError
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.errors import NotFound
from stowplan.kube.paths import PODS

Progress = Callable[[str, int, int], None]

OPTED_IN: Final = "churn"
PLAIN: Final = "churn-plain"
LIFE_S: Final = 10.0
"""Of a pod; then it is deleted."""
_SEED: Final = 1
_LAST_WAIT_S: Final = 20.0
"""For pods that have no node when the last one has been created."""
_SIZED_TRIES: Final = 300


@dataclass(frozen=True, slots=True)
class Churn:
    """One arm in one round. Milliseconds are from a pod's first event to the one that shows its node."""

    created: int
    placed: int
    per_second: float
    """Pods created a second, as far as the API server took them."""
    wait_p50_ms: float
    wait_p99_ms: float


def pod(number: int, *, sized: bool) -> dict[str, Any]:
    """A pod of a service of 20 replicas: without requests where the webhook sizes it, else with what it would get (size xs)."""
    container: dict[str, Any] = {"name": "app", "image": "registry.k8s.io/pause:3.10"}
    labels = {"app": f"app-{number // 20}"}
    if sized:
        labels |= {"stowplan.dev/class": "dev", "stowplan.dev/size": "xs"}
    else:
        container["resources"] = {"requests": {"cpu": "100m", "memory": "384Mi"}}
    metadata = {"name": f"pod-{number}", "labels": labels}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def measure(
    connection: Connection, nodes: int, rounds: int, pace: float, seconds: float, progress: Progress
) -> dict[str, Any]:
    """Both arms on one cluster of empty and half full fake nodes, in turn.

    Args:
        connection: to a cluster with stowplan, the default scheduler and KWOK, as administrator.
        nodes: that are added.
        rounds: of each arm.
        pace: pods a second.
        seconds: of each round.
        progress: takes a sentence, how much is done, and of how much.

    Raises:
        SandboxError: nodes do not become ready, or the webhook does not answer.
    """
    progress(f"adding {nodes} nodes", 0, 0)
    await add_nodes(connection, cluster(nodes, _SEED).nodes)
    found: dict[str, list[Churn]] = {PLAIN: [], OPTED_IN: []}
    async with ApiClient(connection) as api:
        for name in found:
            await make_namespace(api, name, opted_in=name == OPTED_IN)
        await _sized(api)
        for number in range(rounds):
            for name in reversed(found) if number % 2 else found:
                progress(f"round {number}, {name}", len(found[PLAIN]) + len(found[OPTED_IN]), 2 * rounds)
                found[name].append(await _round(api, name, pace, seconds))
                await remove_pods(api, name)
    return {"nodes": nodes, "pace": pace, "rounds": rounds, **compared(found[PLAIN], found[OPTED_IN])}


def compared(baseline: list[Churn], ours: list[Churn]) -> dict[str, Any]:
    """Medians of both, and the medians of our waits over the baseline's of the same round."""
    pairs = list(zip(ours, baseline, strict=True))
    return {
        "baseline": _medians(baseline),
        "stowplan": _medians(ours),
        "wait_p50_ratio": round(statistics.median(a.wait_p50_ms / max(b.wait_p50_ms, 0.1) for a, b in pairs), 3),
        "wait_p99_ratio": round(statistics.median(a.wait_p99_ms / max(b.wait_p99_ms, 0.1) for a, b in pairs), 3),
        "unplaced_beyond_baseline": max(0, sum((a.created - a.placed) - (b.created - b.placed) for a, b in pairs)),
    }


def _medians(rounds: list[Churn]) -> dict[str, float]:
    return {key: statistics.median(asdict(one)[key] for one in rounds) for key in asdict(rounds[0])}


async def _sized(api: ApiClient) -> None:
    """Wait until the webhook answers for the namespace: it learns of it by a watch."""
    for _ in range(_SIZED_TRIES):
        if await is_sized(api, OPTED_IN):
            return
        await asyncio.sleep(0.2)
    raise SandboxError(f"no pod of namespace {OPTED_IN} is sized; is stowplan installed and ready?")


async def _round(api: ApiClient, namespace: str, pace: float, seconds: float) -> Churn:
    """Create pods at the pace, delete each at the end of its life, and see when each got its node."""
    moments = Moments()
    async with watched(api, moments, namespace):
        started = time.monotonic()
        lives = [
            asyncio.create_task(_live(api, namespace, number, started + number / pace))
            for number in range(int(pace * seconds))
        ]
        created_s = max(await asyncio.gather(*lives))
        deadline = time.monotonic() + _LAST_WAIT_S
        while len(moments.bound) < len(lives) and time.monotonic() < deadline:  # noqa: ASYNC110 - a watch fills the table
            await asyncio.sleep(0.1)
    waits = sorted((moments.bound[name] - moments.created[name]) * 1000 for name in moments.bound)
    return Churn(
        created=len(lives),
        placed=len(waits),
        per_second=round(len(lives) / max(created_s - started, 0.001), 1),
        wait_p50_ms=_percentile(waits, 50),
        wait_p99_ms=_percentile(waits, 99),
    )


async def _live(api: ApiClient, namespace: str, number: int, due: float) -> float:
    """One pod's life, from the moment at which it is due; when it had been created."""
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    await api.create(PODS.path(namespace), pod(number, sized=namespace == OPTED_IN))
    created_s = time.monotonic()
    await asyncio.sleep(LIFE_S)
    with suppress(NotFound):
        await api.delete(PODS.path(namespace, f"pod-{number}"), {"gracePeriodSeconds": 0})
    return created_s


def _percentile(ordered: list[float], percent: int) -> float:
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 1) if ordered else 0.0
