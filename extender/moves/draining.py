"""Emptying a node as proposed: all evictions as a dry run, cordon, evictions one by one; uncordoned where it does not work out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from extender.moves.consolidation import Drain
from extender.moves.eviction import Evicted, Outcome, evict_all
from stowplan.kube.client import ApiClient
from stowplan.kube.paths import NODES

_DONE = frozenset({Outcome.EVICTED, Outcome.GONE})


async def drain_node(
    api: ApiClient,
    drain: Drain,
    *,
    dry_run: bool,
    pause_seconds: float,
    tell: Callable[[Evicted], object],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    patience_seconds: float = 0.0,
) -> bool:
    """Whether the node is (or, in a dry run, could be) emptied.

    The node is cordoned first, or its pods would come straight back. It stays cordoned once it is empty, as after `kubectl drain`, for
    cluster-autoscaler, Karpenter or an operator to remove. An eviction that a budget refuses is asked for again for as long as
    `patience_seconds`; a dry run never waits, as nothing comes back.

    Raises:
        KubeError: the node cannot be cordoned; nothing was evicted.
    """
    pods = [move.pod for move in drain.moves]
    patience = 0.0 if dry_run else patience_seconds
    tried = await evict_all(
        api, pods, dry_run=True, pause_seconds=0.0, tell=tell, sleep=sleep, patience_seconds=patience
    )
    willing = len(tried) == len(pods) and all(one.outcome in (Outcome.WOULD_EVICT, Outcome.GONE) for one in tried)
    if dry_run or not willing:
        return willing
    done: list[Evicted] = []
    try:
        await _cordon(api, drain.node, cordoned=True)  # within, as it may have come to pass where it is interrupted
        done = await evict_all(
            api, pods, dry_run=False, pause_seconds=pause_seconds, tell=tell, sleep=sleep, patience_seconds=patience
        )
    finally:
        emptied = len(done) == len(pods) and all(one.outcome in _DONE for one in done)
        if not emptied:
            await _cordon(api, drain.node, cordoned=False)
    return emptied


async def _cordon(api: ApiClient, node: str, *, cordoned: bool) -> None:
    await api.patch(NODES.path(name=node), {"spec": {"unschedulable": cordoned or None}})
