"""Which gates to take away now, and why. Pure: what to write, not the writing.

A gate goes as soon as the plan has a place for its pod, and always within a bound: a pod that nobody releases never runs. A group of pods
that needs all or nothing goes together, once all are there and have a place; its bound is longer, because controllers create their
pods one after another, and not long, because neither the scheduler nor an autoscaler sees a pod behind a gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from extender.gating.groups import Need
from extender.gating.held import Group, group_of
from extender.plan import EMPTY_PLAN, Plan
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.pod import Pod, PodSignature

GRACE_SECONDS: Final = 2.0
"""A replica that does not lead lets this pass beyond the bound, and then acts for the one that should have."""
FIRST_RETRY_SECONDS: Final = 0.1
LAST_RETRY_SECONDS: Final = 5.0
"""Between two tries of a write that failed; doubled from the first to the last."""
UNSEEN_SECONDS: Final = 5.0
"""A write that was answered and whose effect was not seen for so long is repeated."""


class Why(StrEnum):
    """Why a gate is taken away; label of the counter."""

    PLANNED = "planned"
    """The plan has a place, which is held for the pod."""
    UNPLACED = "unplaced"
    """A plan has been made and has none: the scheduler, or an autoscaler, is to see the pod."""
    UNPLANNABLE = "unplannable"
    """No plan will ever have one: volumes, another scheduler, another's gate."""
    BOUND = "bound"
    """No plan came in time."""
    GROUP_BOUND = "group_bound"
    """The group was not complete, or had no place for all, in time."""
    LEFTOVER = "leftover"
    """Found at the start of the process."""
    STANDBY = "standby"
    """Whoever leads did not do it."""
    OFF = "off"
    """Gates are switched off, or the process ends."""
    MISSED = "missed"
    """The watch did not show the pod; a list did."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Longest times behind the gate, in seconds since this process saw the pod."""

    pod: float = 0.5
    group: float = 30.0
    """Since the first of its members was seen."""


@dataclass(frozen=True, slots=True)
class Release:
    """A gate to be taken away."""

    pod: Pod
    why: Why


class Slots(Protocol):
    """The plan, and its open slots."""

    @property
    def plan(self) -> Plan:
        """The latest."""

    def target(self, pod: Pod) -> str:
        """The first node with an open slot, held for the pod from now on; empty where there is none."""

    def give_back(self, pod: Pod) -> None:
        """What was held is not needed yet."""


@dataclass(slots=True)
class _Seen:
    since: float
    generation: int
    """Of the cache: a plan of this or a later one knows the pod."""
    leftover: bool
    not_before: float = float("-inf")
    retry: float = FIRST_RETRY_SECONDS


class Gates:
    """The gates that are there, and what is to become of them.

    Args:
        clock: monotonic seconds.
        bounds: see there.
        need: what a group needs (`Groups.need`).
        active: whether plans are waited for at all.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        bounds: Bounds,
        need: Callable[[Sequence[Pod]], Need | None],
        *,
        active: bool = True,
    ) -> None:
        self._clock = clock
        self._bounds = bounds
        self._need = need
        self._active = active
        self.unsized = False
        """Whether the last look met a group of which nobody says how many belong together."""
        self._seen: dict[str, _Seen] = {}
        self._started = False
        self._plan = EMPTY_PLAN
        self._without: set[PodSignature] = set()

    def due(
        self, pods: Mapping[str, Pod], generation: int, slots: Slots, *, leads: bool, ending: bool = False
    ) -> Iterator[Release]:
        """The gates to take away now, one by one. Slots are taken as the iterator goes; other calls may be made in between.

        Args:
            pods: all that are held.
            generation: of the cache.
            slots: what the plan says.
            leads: whether the scheduler beside this process leads. If not, it acts only where nobody else has.
            ending: whether the process is about to end.
        """
        now = self._clock()
        self._note(pods, generation, now, leads=leads)
        self._turn_to(slots.plan)
        self.unsized = False
        open_ = [pod for pod in pods.values() if now >= self._seen[pod.uid].not_before]
        if not leads:
            late = (pod for pod in open_ if self.waited(pod.uid) > self._bound_of(pod) + GRACE_SECONDS)
            yield from (Release(pod, Why.STANDBY) for pod in late)
        elif ending or not self._active:
            yield from (Release(pod, Why.OFF) for pod in open_)
        else:
            yield from self._planned(open_, slots)

    def writing(self, uid: str) -> None:
        """It is being taken away: not to be tried meanwhile."""
        if seen := self._seen.get(uid):
            seen.not_before = float("inf")

    def written(self, uid: str) -> None:
        """The API server has taken the gate away."""
        if seen := self._seen.get(uid):
            seen.not_before = self._clock() + UNSEEN_SECONDS

    def failed(self, uid: str) -> None:
        """It has not; later again."""
        if seen := self._seen.get(uid):
            seen.not_before = self._clock() + seen.retry
            seen.retry = min(LAST_RETRY_SECONDS, seen.retry * 2)

    def waited(self, uid: str) -> float:
        """Seconds since the pod was seen behind its gate."""
        seen = self._seen.get(uid)
        return 0.0 if seen is None else self._clock() - seen.since

    def overdue(self, pods: Iterable[Pod]) -> bool:
        """Whether a pod is held well beyond its bound: writes fail, and no further pod should be gated."""
        return any(self.waited(pod.uid) > self._bound_of(pod) + GRACE_SECONDS for pod in pods)

    def _bound_of(self, pod: Pod) -> float:
        return self._bounds.pod if group_of(pod) is None else self._bounds.group

    def _note(self, pods: Mapping[str, Pod], generation: int, now: float, *, leads: bool) -> None:
        for uid in pods.keys() - self._seen.keys():
            self._seen[uid] = _Seen(now, generation, leftover=leads and not self._started)
        for uid in self._seen.keys() - pods.keys():
            del self._seen[uid]
        self._started = True

    def _turn_to(self, plan: Plan) -> None:
        if plan is not self._plan:
            self._plan = plan
            self._without.clear()

    def _odd(self, pod: Pod) -> bool:
        """Whether no plan will ever have a place for the pod."""
        return pod.gated or bool(pod.signature.unplannable) or pod.signature.scheduler_name != SCHEDULER_NAME

    def _planned(self, pods: Iterable[Pod], slots: Slots) -> Iterator[Release]:
        groups: dict[Group, list[Pod]] = {}
        for pod in pods:
            group = group_of(pod)
            if group is not None and not self._odd(pod):
                groups.setdefault(group, []).append(pod)
            elif (why := self._single(pod, slots)) is not None:
                yield Release(pod, why)
        for members in groups.values():
            yield from self._together(members, slots)

    def _single(self, pod: Pod, slots: Slots) -> Why | None:
        if self._seen[pod.uid].leftover:
            return Why.LEFTOVER
        if self._odd(pod):
            return Why.UNPLANNABLE
        late = self.waited(pod.uid) > self._bounds.pod
        if (late or not self._plan.early) and self._takes(pod, slots):
            return Why.PLANNED
        if self._spoken(pod):
            return Why.UNPLACED
        return Why.BOUND if late else None

    def _spoken(self, pod: Pod) -> bool:
        """Whether a plan that knew the pod is final."""
        plan = self._plan
        return plan is not EMPTY_PLAN and not plan.early and plan.generation >= self._seen[pod.uid].generation

    def _takes(self, pod: Pod, slots: Slots) -> bool:
        if pod.signature in self._without:
            return False
        if slots.target(pod):
            return True
        self._without.add(pod.signature)
        return False

    def _together(self, members: list[Pod], slots: Slots) -> Iterator[Release]:
        need = self._need(members)
        if need is None:
            self.unsized = True
            alone = ((pod, self._single(pod, slots)) for pod in members)
            yield from (Release(pod, why) for pod, why in alone if why is not None)
        elif any(self._seen[pod.uid].leftover for pod in members):
            yield from (Release(pod, Why.LEFTOVER) for pod in members)
        elif need.complete and not self._plan.early and self._all_take(members, need.slots, slots):
            yield from (Release(pod, Why.PLANNED) for pod in members)
        elif max(self.waited(pod.uid) for pod in members) > self._bounds.group:
            yield from (Release(pod, Why.GROUP_BOUND) for pod in members)

    def _all_take(self, members: list[Pod], needed: int, slots: Slots) -> bool:
        taken = [pod for pod in members if self._takes(pod, slots)]
        if len(taken) >= needed:
            return True
        for pod in taken:
            slots.give_back(pod)
        return False
