"""Carrying moves out, one pod at a time, by the Eviction API: the API server has the last word about budgets.

An eviction deletes the pod; its owner creates another, and the scheduler places that. Each is first asked for as a dry run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, KubeError, NotFound, TooManyRequests
from stowplan.kube.paths import PODS
from stowplan.model.pod import Pod

RETRY_SECONDS: Final = 5.0
"""Between two attempts to evict a pod that a budget keeps: as long as `kubectl drain` waits."""


class Outcome(StrEnum):
    """What the API server said."""

    WOULD_EVICT = "would-evict"
    """A dry run was accepted, and no more was asked for."""
    EVICTED = "evicted"
    REFUSED = "refused"
    """By a PodDisruptionBudget, now."""
    GONE = "gone"
    """The pod is not there any more, or is another one of that name."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Evicted:
    """One pod and what became of its eviction."""

    pod: Pod
    outcome: Outcome
    message: str = ""


async def evict(api: ApiClient, pod: Pod, *, dry_run: bool) -> Evicted:
    """Ask for one eviction; a dry run goes first in any case."""
    for dry in (True,) if dry_run else (True, False):
        try:
            await api.create(PODS.path(pod.namespace, pod.name, "eviction"), _body(pod, dry_run=dry))
        except TooManyRequests as error:
            return Evicted(pod, Outcome.REFUSED, error.message)
        except (NotFound, Conflict) as error:  # a conflict: another pod has this name now
            return Evicted(pod, Outcome.GONE, error.message)
        except KubeError as error:
            return Evicted(pod, Outcome.FAILED, str(error))
    return Evicted(pod, Outcome.WOULD_EVICT if dry_run else Outcome.EVICTED)


async def _evict_patiently(
    api: ApiClient, pod: Pod, *, dry_run: bool, patience_seconds: float, sleep: Callable[[float], Awaitable[None]]
) -> Evicted:
    left = patience_seconds
    while True:
        outcome = await evict(api, pod, dry_run=dry_run)
        if outcome.outcome is not Outcome.REFUSED or left <= 0:
            return outcome
        await sleep(min(RETRY_SECONDS, left))
        left -= RETRY_SECONDS


async def evict_all(
    api: ApiClient,
    pods: Iterable[Pod],
    *,
    dry_run: bool,
    pause_seconds: float,
    tell: Callable[[Evicted], object],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    patience_seconds: float = 0.0,
) -> list[Evicted]:
    """Evict one after another with a pause in between; the first one that is not accepted ends it, as the rest may rest on it.

    One that a budget refuses is asked for again for as long as `patience_seconds`: those evicted before it may have to run again first.
    """
    done: list[Evicted] = []
    for pod in pods:
        if done and not dry_run:
            await sleep(pause_seconds)
        outcome = await _evict_patiently(api, pod, dry_run=dry_run, patience_seconds=patience_seconds, sleep=sleep)
        done.append(outcome)
        tell(outcome)
        if outcome.outcome not in (Outcome.WOULD_EVICT, Outcome.EVICTED, Outcome.GONE):
            break
    return done


def _body(pod: Pod, *, dry_run: bool) -> dict[str, object]:
    options: dict[str, object] = {"preconditions": {"uid": pod.uid}}
    if dry_run:
        options["dryRun"] = ["All"]
    metadata = {"name": pod.name, "namespace": pod.namespace}
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
