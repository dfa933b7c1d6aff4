"""OOM kills, evictions for memory and restarts, each once, from the status of pods and from Events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from recommender.sources.memory_events import EVICTED, REASONS, MemoryEvent, project_memory_event
from recommender.sources.metrics import SourceMetrics
from recommender.sources.observation import Incident, IncidentKind
from recommender.sources.pod_fates import OOM_KILLED, ContainerFate, Ending, PodFate, project_pod_fate
from stowplan.kube.client import ApiClient
from stowplan.kube.codec import ObjectKey
from stowplan.kube.paths import EVENTS, PODS
from stowplan.kube.reflector import Reflector, Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics

IncidentKey = tuple[str, str, int]
"""Pod's UID, container, Unix seconds of the end; where the kubelet does not know when it ended: minus the number of the restart."""

_UNSEEN: Final = frozenset({"ContainerStatusUnknown", "RestartingAllContainers", "Unknown"})
"""Nobody saw how the container ended, and the exit code is made up: 137 by the kubelet for one that is not there any more, as after an
eviction, and for one that it removed because another one of the pod ended (a rule that restarts all); 255 by containerd after a restart
of the node."""
_SIGKILLED: Final = 128 + 9
"""Exit code of a process that SIGKILL ended."""
_REMEMBERED_S: Final = 24 * 3600
"""Incidents of pods that have gone are remembered this long: Events live for an hour unless the API server says otherwise."""
_SAME_S: Final = 60
"""An Event about an OOM kill and the status that shows it differ by less than this."""
_MANY: Final = 1024
_WATCH_S: Final = 60
"""A watch of Events lasts once to twice this long. The API server keeps no cache of Events, so a quiet watch of them gets no bookmarks, and
one that lasted longer would be taken for dead (`ApiClient.watch`, 150 s): a warning every few minutes, for nothing."""


class IncidentLog:
    """Delivers each incident once: pods are listed again, an end moves from `state` to `lastState`, events repeat themselves.

    Handler of a reflector of pods (`Handler[PodFate]`); events go to `observe_event`. A pod that was restarted several times between
    two looks shows only its last end: it counts once.

    Args:
        deliver: takes an incident; must not block.
        metrics: counters.
        handled: what an earlier process of ours has delivered and learned, as its `handled` said.
        clock: Unix seconds.
    """

    def __init__(
        self,
        deliver: Callable[[Incident], object],
        metrics: SourceMetrics,
        *,
        handled: Iterable[IncidentKey] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._deliver = deliver
        self._metrics = metrics
        self._clock = clock
        self._pods: dict[str, PodFate] = {}
        self._listed = False
        self._forget_beyond = _MANY
        self._handled: dict[str, set[tuple[str, int]]] = {}
        for uid, container, number in handled:
            self._handled.setdefault(uid, set()).add((container, number))

    @property
    def handled(self) -> list[IncidentKey]:
        """Everything that must not be delivered again, sorted; to be kept with what was learned from it."""
        return sorted((uid, container, number) for uid, ends in self._handled.items() for container, number in ends)

    def replace(self, items: Sequence[PodFate]) -> None:
        """The pods are exactly these."""
        for pod in items:
            self.upsert(pod)
        present = {pod.uid for pod in items}
        self._pods = {uid: pod for uid, pod in self._pods.items() if uid in present}
        self._listed = True
        self._forget_gone()

    def upsert(self, item: PodFate) -> None:
        """The pod is new or has changed."""
        before = self._pods.get(item.uid)
        self._pods[item.uid] = item
        known = {fate.name: fate for fate in before.containers} if before is not None else {}
        for fate in item.containers:
            self._observe(item, fate, known.get(fate.name))

    def delete(self, key: ObjectKey) -> None:
        """The pod is gone. What was delivered of it stays known for a day, for Events that come after it."""
        self._pods.pop(key.uid, None)

    def observe_event(self, event: MemoryEvent) -> None:
        """Look at an Event about memory."""
        pod = self._pods.get(event.pod_uid)
        containers = event.containers or (_only_container(pod) if event.reason != EVICTED else ())
        if not event.pod_uid or not containers or (pod is None and not event.pod):
            self._metrics.unattributed.labels(event.reason).inc()
            return
        if event.reason != EVICTED and any(self._seen(event.pod_uid, name, event.t_s) for name in containers):
            return
        kind = IncidentKind.EVICTED if event.reason == EVICTED else IncidentKind.OOM_KILLED
        had = {fate.name: fate.memory_limit for fate in pod.containers} if pod is not None else {}
        # An evicted container was short of its request, not of its limit: what it used is what it needs.
        had |= {name: used for name, used in zip(event.containers, event.usages, strict=True) if used}
        namespace, name = (pod.namespace, pod.name) if pod is not None else (event.namespace, event.pod)
        for container in containers:
            self._once(
                Incident(kind, namespace, name, event.pod_uid, container, event.t_s, had.get(container, 0)),
                event.t_s,
            )

    def _observe(self, pod: PodFate, fate: ContainerFate, before: ContainerFate | None) -> None:
        for ending in fate.endings:
            kind = _kind(ending, fate)
            if kind is not None and not self._counted_blindly(kind, pod, fate, ending):
                self._ended(kind, pod, fate, ending.finished_s, ending.started_s)
        unseen = before is not None and fate.restarts > before.restarts
        if unseen and not any(ending.restarted for ending in fate.endings):
            # The count went up, but the kubelet does not say how it ended, or not yet.
            self._ended(IncidentKind.RESTARTED, pod, fate, 0)

    def _counted_blindly(self, kind: IncidentKind, pod: PodFate, fate: ContainerFate, ending: Ending) -> bool:
        """Whether this restart was counted when nobody knew yet how it had ended: the kubelet may say so a moment later."""
        ends = self._handled.get(pod.uid, set())
        blind = (fate.name, -fate.restarts)
        if kind is not IncidentKind.RESTARTED or not ending.restarted or not ending.finished_s or blind not in ends:
            return False
        ends.add((fate.name, ending.finished_s))
        return True

    def _ended(
        self, kind: IncidentKind, pod: PodFate, fate: ContainerFate, finished_s: int, started_s: int = 0
    ) -> None:
        t_s = finished_s or int(self._clock())
        incident = Incident(kind, pod.namespace, pod.name, pod.uid, fate.name, t_s, fate.memory_limit, started_s)
        self._once(incident, finished_s or -fate.restarts)

    def _once(self, incident: Incident, number: int) -> None:
        ends = self._handled.setdefault(incident.pod_uid, set())
        if (incident.container, number) in ends:
            return
        ends.add((incident.container, number))
        if len(self._handled) > self._forget_beyond:
            self._forget_gone()
        self._metrics.incidents.labels(incident.kind.value).inc()
        self._deliver(incident)

    def _seen(self, uid: str, container: str, t_s: int) -> bool:
        """Whether the status of the pod has shown an end at about this time."""
        ends = self._handled.get(uid, ())
        return any(name == container and abs(number - t_s) <= _SAME_S for name, number in ends)

    def _forget_gone(self) -> None:
        """Forget what happened long ago to pods that have gone; before the first list nobody knows which have."""
        if not self._listed:
            return
        horizon = self._clock() - _REMEMBERED_S
        self._handled = {
            uid: ends
            for uid, ends in self._handled.items()
            if uid in self._pods or max((number for _, number in ends), default=0) > horizon
        }
        self._forget_beyond = max(_MANY, 2 * len(self._handled))


class EventFeed:
    """Handler of a reflector of Events: hands each to the log. Nothing is kept."""

    def __init__(self, incidents: IncidentLog) -> None:
        self._incidents = incidents

    def replace(self, items: Sequence[MemoryEvent]) -> None:
        """The Events are exactly these."""
        for item in items:
            self._incidents.observe_event(item)

    def upsert(self, item: MemoryEvent) -> None:
        """The Event is new or has been repeated."""
        self._incidents.observe_event(item)

    def delete(self, key: ObjectKey) -> None:
        """The Event has expired, which changes nothing about what happened."""


def event_reflectors(api: ApiClient, incidents: IncidentLog, metrics: ReflectorMetrics) -> list[Reflector[MemoryEvent]]:
    """One watch for each reason, so that the API server leaves out all other Events. Each is to be `run`."""
    return [
        Reflector(
            api,
            EVENTS,
            project_memory_event,
            EventFeed(incidents),
            selection=Selection(field_selector=f"reason={reason}"),
            metrics=metrics,
            name=f"events/{reason}",
            watch_seconds=_WATCH_S,
        )
        for reason in REASONS
    ]


def pod_reflector(
    api: ApiClient, incidents: IncidentLog, metrics: ReflectorMetrics, **options: Any
) -> Reflector[PodFate]:
    """A watch of all pods for the log; to be `run`. Whoever watches pods anyway can call the log's methods instead."""
    return Reflector(api, PODS, project_pod_fate, incidents, metrics=metrics, name="pods/incidents", **options)


def _kind(ending: Ending, fate: ContainerFate) -> IncidentKind | None:
    """What an end was; None where it was none of our business: orderly, not followed by a new start, or seen by nobody.

    `OOMKilled` counts with any exit code: on cgroup v1 a kill of a child process is told at the end of the container, however it ended. But
    there a kill at the pod's limit is told of every container of the pod, so of those that share it only the killed one counts.

    A pod that is deleted ends by SIGKILL too if it does not heed SIGTERM, hence the new start is asked for there as well.
    """
    if ending.reason in _UNSEEN:
        return None
    killed = ending.exit_code == _SIGKILLED
    if ending.reason == OOM_KILLED and (killed or not fate.shares_limit):
        return IncidentKind.OOM_KILLED
    if ending.restarted and ending.exit_code != 0:
        return IncidentKind.KILLED if killed and fate.limited else IncidentKind.RESTARTED
    return None


def _only_container(pod: PodFate | None) -> tuple[str, ...]:
    """The container of a pod that has one: there is then no doubt whose process was killed."""
    return (pod.containers[0].name,) if pod is not None and len(pod.containers) == 1 else ()
