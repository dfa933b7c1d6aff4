"""The extender put together: reflectors feed the cache and the planner; the server answers from both."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from extender.answering.app import MAX_BODY_BYTES, ExtenderApp
from extender.cluster.cache import Cache
from extender.deciding.decider import Clocks, Decider
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.outcomes import Outcome
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.feeding.autoscaler import Autoscaler
from extender.feeding.feed import ClassFeed, NamespaceFeed, NodeFeed, PodFeed, give_up_overdue
from extender.feeding.owner_watch import owner_watches
from extender.feeding.polling import Poll
from extender.feeding.sources import NodeLoads, pod_group_source
from extender.gating.decision import Bounds, Gates
from extender.gating.groups import Groups
from extender.gating.held import HeldPods
from extender.gating.lease import GateLease
from extender.gating.loop import Cluster, Ungater
from extender.gating.metrics import GateMetrics
from extender.gating.writing import GateWriter
from extender.leadership import Leadership
from extender.metrics import ExtenderMetrics
from extender.moves.rescuing import Rescuer
from extender.nomination.loop import Nominator
from extender.nomination.writing import NominationWriter
from extender.planning import Planner
from extender.settings import ExtenderSettings
from stowplan.kube.client import ApiClient
from stowplan.kube.paths import NAMESPACES, NODES, PODS, WORKLOAD_CLASSES
from stowplan.kube.projection import SignatureInterner, project_namespace, project_node, project_pod
from stowplan.kube.reflector import Reflector, Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics
from stowplan.model.class_codec import parse_workload_class
from stowplan.model.workload_class import WorkloadClass
from stowplan.serving.health import Readiness, health_app
from stowplan.serving.http import Direct, Drain, Listener, serve
from stowplan.serving.supervisor import heartbeat

log = logging.getLogger(__name__)

UNFINISHED: Final = "status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of the pods that take room or wait; the API server turns finishing into a deletion event."""
_TICK_SECONDS: Final = 1.0
_PACE_SECONDS: Final = 0.02
"""How long events of pods may wait to be taken together: until then reservations stand for what they would say, and taking each by itself
would hold up requests (three events a pod) and wake the planner for each.
"""
_AUTOSCALER_SECONDS: Final = 60.0
_GROUPS_SECONDS: Final = 15.0
"""Between two readings of PodGroups: few, and written before their pods."""


class ExtenderService:
    """One extender process.

    Args:
        settings: see there.
        api: an open client.
        planner: makes the planner; gets the function that gives the events of a full resync.
        registry: of the metrics.
    """

    def __init__(
        self,
        settings: ExtenderSettings,
        api: ApiClient,
        planner: Callable[[Callable[[], list[Any]]], Planner],
        registry: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._metrics = ExtenderMetrics(time.monotonic, registry)
        self._cache = Cache()
        self._reservations = Reservations(time.monotonic, settings.reservation_ttl)
        ledger = SlotLedger(self._reservations)
        nodes = self._ledger = NodeLedger()
        self._planner = planner(self._cache.events)
        interner = SignatureInterner()
        held = HeldPods()
        pods = PodFeed(self._cache, self._reservations, ledger, self._planner.send, nodes, held)
        self._reflect(api, pods, interner)
        self._poll(api)
        self._decider = Decider(
            settings=settings,
            cache=self._cache,
            ledger=ledger,
            reservations=self._reservations,
            plan=lambda: self._planner.current,
            trouble=self._trouble,
            metrics=self._metrics,
            clocks=Clocks(time.monotonic, time.time),
            nodes=nodes,
            values=lambda: self._planner.values,
            interner=interner,
        )
        leadership = Leadership(api, socket.gethostname(), time.monotonic)
        self._rescuer = self._make_rescuer(api, leadership)
        self._nominator = self._make_nominator(api, leadership)
        self._ungater = self._make_ungater(api, held, leadership)

    def _reflect(self, api: ApiClient, pods: PodFeed, interner: SignatureInterner) -> None:
        """What is watched."""
        forward = self._planner.send
        reflections = ReflectorMetrics(self._registry)
        reflector = partial(Reflector, api, metrics=reflections)
        project = partial(project_pod, interner=interner)
        selection = Selection(field_selector=UNFINISHED)
        self._nodes: Reflector[Any] = reflector(NODES, project_node, NodeFeed(self._cache, forward))
        self._pods: Reflector[Any] = reflector(PODS, project, pods, selection=selection, pace_seconds=_PACE_SECONDS)
        self._namespaces: Reflector[Any] = reflector(NAMESPACES, project_namespace, NamespaceFeed(self._cache, forward))
        classes = ClassFeed(self._use_classes)
        self._classes: Reflector[Any] = reflector(WORKLOAD_CLASSES, _project_class, classes)
        self._owners = owner_watches(api, self._cache, forward, reflections)

    def _poll(self, api: ApiClient) -> None:
        """What is read again and again."""
        forward, settings = self._planner.send, self._settings
        self._groups = Poll(pod_group_source(api, self._cache, forward), _GROUPS_SECONDS, self._metrics.polled)
        self._autoscaler = Autoscaler(api, self._cache, settings.empty_gpu_nodes)
        self._polls = [self._groups]
        if settings.empty_gpu_nodes == "auto":
            self._polls.append(Poll(self._autoscaler.source, _AUTOSCALER_SECONDS, self._metrics.polled))
        if settings.load_interval > 0:
            loads = NodeLoads(api, self._cache, forward, pressure=settings.pressure)
            self._polls.append(Poll(loads.source, settings.load_interval, self._metrics.polled))

    def _make_rescuer(self, api: ApiClient, leadership: Leadership) -> Rescuer:
        return Rescuer(
            api,
            self._cache,
            lambda: self._planner.current,
            self._reservations,
            leadership,
            mode=self._settings.rescue,
            count=lambda outcome: self._metrics.evictions.labels(outcome.value).inc(),
            clock=time.monotonic,
        )

    def _make_nominator(self, api: ApiClient, leadership: Leadership) -> Nominator:
        return Nominator(
            self._cache,
            self._decider.view,
            NominationWriter(api),
            leadership,
            count=lambda event: self._metrics.nominations.labels(event.value).inc(),
            clock=time.monotonic,
            per_second=self._settings.nominations_per_second,
        )

    def _make_ungater(self, api: ApiClient, held: HeldPods, leadership: Leadership) -> Ungater:
        """Runs always: where gates are switched off, what an earlier process left behind is taken away all the same."""
        settings = self._settings
        active = settings.gates and settings.planner  # without plans there is nothing to wait for
        groups = Groups(held, self._cache.wanted, lambda: self._cache.snapshot().pod_groups)
        return Ungater(
            Cluster(
                held,
                self._decider.view,
                lambda: self._cache.generation,
                lambda: self._pods.lag_seconds,
                self._groups.once,
            ),
            Gates(
                time.monotonic, Bounds(settings.gate_seconds, settings.group_gate_seconds), groups.need, active=active
            ),
            GateWriter(api),
            GateLease(api, f"{socket.gethostname()}_{os.getpid()}") if active else None,
            leadership,
            metrics=GateMetrics(self._registry),
            clock=time.monotonic,
        )

    async def run(self, drain: Drain, listening: Callable[[list[int]], None] | None = None) -> None:
        """Serve until `drain` begins. The port is open before the first list is complete: until then answers change nothing."""
        background = [
            self._nodes.run(),
            self._pods.run(),
            self._namespaces.run(),
            self._classes.run(),
            *(owners.run() for owners in self._owners),
            *(self._once_synced(poll.run()) for poll in self._polls),
            self._settle(),
            self._tick(),
            heartbeat(),
        ]
        if self._settings.nominate:
            background.append(self._once_synced(self._nominator.run()))
        background.append(self._once_synced(self._rescuer.run()))
        background.append(self._once_synced(self._ungater.run(lambda: drain.draining)))
        tasks = [asyncio.create_task(work) for work in background]
        await self._planner.start()
        try:
            await serve(self._listeners(drain), drain, drain_seconds=self._settings.drain_seconds, listening=listening)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._ungater.stop()
            await self._nominator.stop()
            await self._planner.stop()

    async def _once_synced(self, work: Coroutine[Any, Any, None]) -> None:
        for reflector in (self._nodes, self._pods, self._namespaces):
            await reflector.wait_synced()
        await work

    def _use_classes(self, classes: Mapping[str, WorkloadClass]) -> None:
        self._planner.set_classes(classes)
        self._decider.set_classes(classes)

    def _listeners(self, drain: Drain) -> list[Listener]:
        readiness = Readiness({"draining": lambda: not drain.draining})
        for reflector in (self._nodes, self._pods, self._namespaces):
            readiness.add(reflector.name, partial(_synced, reflector))
        settings = self._settings
        app = Direct(ExtenderApp(self._decider, self._cache, self._metrics), MAX_BODY_BYTES)
        return [
            Listener(app, settings.host, settings.port),
            Listener(health_app(readiness, self._registry), settings.metrics_host, settings.metrics_port),
        ]

    def _trouble(self) -> Outcome | None:
        watched = (self._nodes, self._pods)
        if not all(reflector.synced for reflector in watched):
            return Outcome.NOT_SYNCED
        silent = any(reflector.lag_seconds > self._settings.max_silence for reflector in watched)
        return Outcome.LAGGING if silent else None

    async def _settle(self) -> None:
        """Once the cluster is in memory, take it out of the collector's rounds: a full one over 150,000 pods takes seconds."""
        for reflector in (self._nodes, self._pods, self._namespaces):
            await reflector.wait_synced()
        gc.collect()
        gc.freeze()
        log.info("synced at generation %d", self._cache.generation)

    async def _tick(self) -> None:
        """Keep plan and reservations current in the metrics while no call comes, and expectations true."""
        seen = 0
        while True:
            give_up_overdue(self._cache, self._planner.send)
            self._decider.view()
            self._ledger.renew(stay=self._autoscaler.empty_nodes_stay)
            for _ in self._ledger.fragments.prepare():
                await asyncio.sleep(0)
            self._metrics.reservations.set(len(self._reservations))
            self._metrics.reservations_expired.inc(self._reservations.expired - seen)
            seen = self._reservations.expired
            self._metrics.planner(self._planner.stats)
            self._metrics.gpu_kinds.set(self._ledger.fragments.kinds)
            self._metrics.loads.set(len(self._cache.snapshot().loads))
            await asyncio.sleep(_TICK_SECONDS)


def _project_class(raw: msgspec.Raw) -> WorkloadClass:
    return parse_workload_class(msgspec.json.decode(raw))


def _synced(reflector: Reflector[Any]) -> bool:
    return reflector.synced
