"""Learns lifetimes from the pods that come to and leave the planner's mirror."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from extender.cluster.owners import OwnerKey, key_of
from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.kin import Path, keeps_nodes_in_use, path_of
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.occupancy import REFRESH_S, Occupancy
from extender.lifetimes.outlook import Outlook
from extender.lifetimes.standing import NumberedPods
from extender.planner.waves import Waves
from extender.pod_ages import PodAges
from stowplan.kube.projection import Deadline
from stowplan.model.pod import Pod, PodSignature

_OUTLOOK_S: Final = 5.0
"""An outlook is good for so long: making one reads all pods that stand."""
_MOST_IN_OUTLOOK: Final = 20_000
"""Pods that stand beyond which plans are made without one, so that waiting pods need not wait for it."""
_MOST_PATHS: Final = 100_000
_NOBODY: Final = ""
"""Stands for the UID in the path of a pod that is its own owner."""


class Lives:
    """Pods by node, when they came and when they went. A pod teaches from when it is seen on a node to when it is gone from the API.

    Its age counts from its creation, as far as that is known; what happened before it was seen teaches nothing. Pods that never got a node,
    and those that come and go with their node, teach nothing either. Pods are known by the rows of the mirror's cache, which it observes.

    Wall time is read once for each pod, for the age at which it is first seen on a node (`PodAges`); all else is steady time, and no jump
    of the system clock is seen in it.

    Args:
        clock: steady seconds.
        wall: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ages = PodAges(clock, wall)
        # between two publications nobody here reads the curves
        self._occupancy = Occupancy(standing=NumberedPods(), on_node=partial(array, "i"), follow=False)
        self._rows: dict[str, int] = {}
        """Of nodes."""
        self._spare: list[int] = []
        self._paths: dict[PodSignature, Path] = {}
        self._waves = Waves()
        self._bounded: set[OwnerKey] = set()
        """Owners that have a deadline."""
        self._outlook: tuple[float, Outlook] | None = None
        self._published_s: float | None = None

    def due_in(self) -> float | None:
        """Seconds until values are to be published, or None while nothing was learned."""
        if not self._occupancy.departed_any:
            return None
        renewed = self._occupancy.renewed_s
        if renewed is None or renewed != self._published_s:
            return 0.0
        since = self._clock() - renewed
        return REFRESH_S - since if 0 <= since < REFRESH_S else 0.0

    def values(self, generation: int) -> NodeValues | None:
        """Values to publish, if it is time."""
        if not self._occupancy.departed_any:
            return None
        self._occupancy.renew(self._clock())
        if self._occupancy.renewed_s == self._published_s:
            return None
        self._published_s = self._occupancy.renewed_s
        for name in [name for name, row in self._rows.items() if not self._occupancy.residents(row)]:
            self._spare.append(self._rows.pop(name))
        return NodeValues(generation, dict(self._rows), self._occupancy.hand_over(), self._occupancy.expectations)

    def outlook(self) -> Outlook | None:
        """What is expected, for a plan; None while nothing was learned, and in clusters in which that takes too long."""
        now = self._clock()
        if not self._occupancy.departed_any or len(self._occupancy.lifetimes.standing) > _MOST_IN_OUTLOOK:
            return None
        if self._outlook is None or not 0 <= now - self._outlook[0] < _OUTLOOK_S:
            self._outlook = (now, Outlook(dict(self._rows), *self._occupancy.look_ahead(now)))
        return self._outlook[1]

    def heed(self, method: str, arguments: tuple[Any, ...]) -> None:
        """Note who waits, and until when owners let their pods run, from one event of the cache."""
        match method:
            case "upsert_pod":
                self._note(arguments[0])
            case "delete_pod":
                self._waves.gone(arguments[0])
            case "replace_pods":
                for uid in self._waves.pods() - {pod.uid for pod in arguments[0]}:
                    self._waves.gone(uid)
                for pod in arguments[0]:
                    self._note(pod)
            case "replace_owners":
                for key in [key for key in self._bounded if key[1].startswith(f"{arguments[1]}/")]:
                    self._bound(key, None)
                for owner in arguments[0]:
                    self._bound(key_of(owner), owner.deadline)
            case "upsert_owner":
                self._bound(key_of(arguments[0]), arguments[0].deadline)
            case "delete_owner":
                self._bound((arguments[0], arguments[1]), None)

    def stands(self, row: int, pod: Pod) -> None:
        """The pod of this row stands on a node; it may be known already."""
        if row in self._occupancy:
            if pod.ends_s and pod.created_s:  # counts from the creation only until the kubelet has started the pod
                self._occupancy.limit(row, pod.ends_s - pod.created_s)
        elif keeps_nodes_in_use(pod.signature):
            now = self._clock()
            born = now - self._ages.age(pod.created_s) if pod.created_s else now
            ends = born + pod.ends_s - pod.created_s if pod.ends_s and pod.created_s else None
            path = self._path(row, pod.signature)
            size = self._waves.bound(pod.uid)
            if size is not None:
                path = BatchSize.of(size).into(path)
            self._occupancy.place(row, path, self._node(pod.node_name), now, born, ends)

    def gone(self, row: int) -> None:
        """The pod of this row stands no more. It may be unknown."""
        if row in self._occupancy:
            self._occupancy.depart(row, self._clock())

    def _bound(self, owner: OwnerKey, deadline: Deadline | None) -> None:
        if deadline is not None:
            began = self._clock() - self._ages.age(deadline.began_s)
            self._occupancy.bound(owner, began + deadline.ends_s - deadline.began_s)
            self._bounded.add(owner)
        elif owner in self._bounded:
            self._occupancy.bound(owner, None)
            self._bounded.remove(owner)

    def _note(self, pod: Pod) -> None:
        if pod.finished:
            self._waves.gone(pod.uid)
        elif not pod.node_name and keeps_nodes_in_use(pod.signature):
            self._waves.waits(pod, self._clock())

    def _path(self, row: int, signature: PodSignature) -> Path:
        path = self._paths.get(signature)
        if path is None:
            if len(self._paths) >= _MOST_PATHS:
                self._paths.clear()
            path = self._paths[signature] = path_of(signature, _NOBODY)
        return (*path[:-1], row) if path[-1] is _NOBODY else path

    def _node(self, name: str) -> int:
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = self._spare.pop() if self._spare else len(self._rows)
        return row
