"""How many pods of one owner wait together: learned from the watch, before any of them is bound."""

from __future__ import annotations

from collections.abc import Hashable, KeysView
from dataclasses import dataclass
from typing import Final

from stowplan.model.pod import Pod

_TOGETHER_S: Final = 60.0
"""Pods of an owner that come within so many seconds of the first one that still waits are one batch."""


@dataclass(slots=True)
class _Wave:
    owner: Hashable
    began: float
    size: int = 0
    waiting: int = 0


class Waves:
    """The pods that wait."""

    def __init__(self) -> None:
        self._by_pod: dict[Hashable, _Wave] = {}
        self._by_owner: dict[Hashable, _Wave] = {}

    def pods(self) -> KeysView[Hashable]:
        """All of them."""
        return self._by_pod.keys()

    def waits(self, pod: Pod, now: float) -> None:
        """A pod has no node yet."""
        if pod.uid in self._by_pod:
            return
        owner = (pod.namespace, pod.signature.owner_key) if pod.signature.owner_key else pod.uid
        wave = self._by_owner.get(owner)
        if wave is None or now - wave.began > _TOGETHER_S:
            wave = self._by_owner[owner] = _Wave(owner, now)
        wave.size += 1
        wave.waiting += 1
        self._by_pod[pod.uid] = wave

    def bound(self, uid: Hashable) -> int | None:
        """The pod waits no more; with how many it has come, itself included, or None if it was never seen waiting."""
        wave = self._by_pod.pop(uid, None)
        if wave is None:
            return None
        wave.waiting -= 1
        if not wave.waiting and self._by_owner.get(wave.owner) is wave:
            del self._by_owner[wave.owner]
        return wave.size

    def gone(self, uid: Hashable) -> None:
        """The pod is no more; unknown ones are ignored."""
        self.bound(uid)
