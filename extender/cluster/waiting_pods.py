"""The pods that are counted as pending: themselves, and how many of each signature."""

from __future__ import annotations

from collections.abc import Mapping

from extender.cluster.node_entry import change
from stowplan.model.pod import Pod, PodSignature


class WaitingPods:
    """Counts what it is told of."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        """By UID."""
        self._counts: dict[PodSignature, int] = {}
        self._seen: Mapping[PodSignature, int] = {}
        self._changed = False

    def count(self, pod: Pod, sign: int) -> None:
        """The pod waits (1) or waits no more (-1)."""
        change(self._counts, pod.signature, sign)
        self._changed = True
        self.pods.pop(pod.uid, None)
        if sign > 0:
            self.pods[pod.uid] = pod

    def by_signature(self) -> Mapping[PodSignature, int]:
        """How many of each signature; the same object until that changes, and never changed itself."""
        if self._changed:
            self._seen, self._changed = dict(self._counts), False
        return self._seen
