"""Which pods to nominate to which node, and which nominations to take back. Pure: what to write, not the writing.

The rules of KEP-5278: a value is set only where there is none, another's is never touched, and who sets one takes it back. The scheduler
tries a nominated node first, keeps room there against pods of no higher priority, and skips scoring. A write a pod is
the price, so only pods that have waited for a moment are nominated: a pod of an idle cluster is placed before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from stowplan.model.pod import Pod

PATIENCE_SECONDS: Final = 0.5
"""A pod is seen waiting for this long before it is nominated."""
EXPIRY_SECONDS: Final = 30.0
"""A nomination that led to nothing for so long is taken back: it keeps room from others."""


class Slots(Protocol):
    """What the plan says about a pod."""

    def target(self, pod: Pod) -> str:
        """The first node with a slot left and room for the pod, empty where there is none."""

    def holds(self, pod: Pod, node: str) -> bool:
        """Whether the plan still means the pod to go to this node, and there is room."""


@dataclass(frozen=True, slots=True)
class Nomination:
    """A value of ours on a pod."""

    uid: str
    namespace: str
    name: str
    node: str
    since: float = 0.0
    """Clock's seconds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written. A pod is never in both."""

    nominate: tuple[Nomination, ...] = ()
    clear: tuple[Nomination, ...] = ()


class Nominations:
    """Our own nominations, and what is to become of them.

    Args:
        clock: monotonic seconds.
        patience: see `PATIENCE_SECONDS`.
        expiry: see `EXPIRY_SECONDS`.
    """

    def __init__(
        self, clock: Callable[[], float], patience: float = PATIENCE_SECONDS, expiry: float = EXPIRY_SECONDS
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._expiry = expiry
        self._own: dict[str, Nomination] = {}
        self._waiting_since: dict[str, float] = {}
        self._spent: set[str] = set()

    @property
    def own(self) -> list[Nomination]:
        """Nominations that we made and that may still be on a pod."""
        return list(self._own.values())

    def adopt(self, found: Iterable[Nomination]) -> None:
        """Nominations of ours that an earlier process (or another replica) left on pods."""
        now = self._clock()
        for one in found:
            self._own.setdefault(one.uid, Nomination(one.uid, one.namespace, one.name, one.node, now))

    def made(self, nomination: Nomination) -> None:
        """It is being written: a write without an answer may have been carried out, so it counts from now on."""
        self._own[nomination.uid] = nomination

    def gone(self, uid: str) -> None:
        """It was taken back, or the value is not ours after all."""
        self._own.pop(uid, None)

    def changes(self, pods: Iterable[Pod], slots: Slots, limit: int) -> Changes:
        """What to write now.

        Args:
            pods: all that wait, and all that we have nominated; one that is nominated and missing here is gone.
            slots: what the plan says.
            limit: most writes; what is to be cleared comes first.
        """
        known = {pod.uid: pod for pod in pods}
        clear = self._to_clear(known, slots)[:limit]
        waiting = [pod for pod in known.values() if self._is_due(pod)]
        waiting.sort(key=lambda pod: (-pod.signature.priority, pod.created_s, pod.uid))
        nominate: list[Nomination] = []
        for pod in waiting:
            if len(clear) + len(nominate) >= limit:
                break
            node = slots.target(pod)
            if node:
                nominate.append(Nomination(pod.uid, pod.namespace, pod.name, node, self._clock()))
        self._forget(known)
        return Changes(tuple(nominate), tuple(clear))

    def _to_clear(self, known: dict[str, Pod], slots: Slots) -> list[Nomination]:
        taken_back = []
        for nomination in self.own:
            pod = known.get(nomination.uid)
            if pod is None or pod.finished or pod.deleting or pod.nominated_node not in ("", nomination.node):
                self.gone(
                    nomination.uid
                )  # the pod is gone, or somebody (the scheduler may) has put another value there
            elif pod.node_name and not pod.nominated_node:
                self.gone(nomination.uid)  # bound, which clears the field
            elif pod.node_name:
                taken_back.append(nomination)  # our write came after the binding
            elif self._clock() - nomination.since > self._expiry:
                self._spent.add(nomination.uid)
                taken_back.append(nomination)
            elif not slots.holds(pod, nomination.node):
                taken_back.append(nomination)
        return taken_back

    def _is_due(self, pod: Pod) -> bool:
        if not pod.pending or pod.held or pod.nominated_node or pod.signature.unplannable or pod.uid in self._own:
            return False
        if pod.uid in self._spent:  # it was tried, and led to nothing
            return False
        return self._clock() - self._waiting_since.setdefault(pod.uid, self._clock()) >= self._patience

    def _forget(self, known: dict[str, Pod]) -> None:
        self._spent &= known.keys()
        for uid in [uid for uid in self._waiting_since if uid not in known or not known[uid].pending]:
            del self._waiting_since[uid]
