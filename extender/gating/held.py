"""The pods behind our scheduling gate, and how many pods each group has; fed with the events of pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stowplan.model.pod import Pod

Group = tuple[str, str]
"""Namespace and name of pods that need all or nothing."""


def group_of(pod: Pod) -> Group | None:
    """The pod's group; None where it has none."""
    gang = pod.signature.gang
    return None if gang is None else (pod.namespace, gang.name)


class HeldPods:
    """All pods with our gate, whoever is to schedule them: a gate that only looks odd must go as well."""

    def __init__(self) -> None:
        self._held: dict[str, Pod] = {}
        self._group: dict[str, Group] = {}
        self._members: dict[Group, int] = {}

    @property
    def pods(self) -> Mapping[str, Pod]:
        """By UID, in the order in which they were seen."""
        return self._held

    def members(self, group: Group) -> int:
        """Pods of the group that are held, wait or stand."""
        return self._members.get(group, 0)

    def replace(self, pods: Iterable[Pod]) -> None:
        """The cluster's pods are exactly these."""
        listed = {pod.uid: pod for pod in pods}
        for uid in [uid for uid in (*self._held, *self._group) if uid not in listed]:
            self.delete(uid)
        for pod in listed.values():
            self.upsert(pod)

    def upsert(self, pod: Pod) -> None:
        """The pod is new or has changed. One that finishes or is being deleted counts no more."""
        if pod.finished or pod.deleting:
            self.delete(pod.uid)
            return
        if pod.held:
            self._held[pod.uid] = pod
        else:
            self._held.pop(pod.uid, None)
        self._count(pod.uid, group_of(pod))

    def delete(self, uid: str) -> None:
        """The pod is gone. Unknown ones are ignored."""
        self._held.pop(uid, None)
        self._count(uid, None)

    def _count(self, uid: str, group: Group | None) -> None:
        before = self._group.get(uid)
        if before == group:
            return
        if before is not None:
            del self._group[uid]
            self._members[before] -= 1
            if not self._members[before]:
                del self._members[before]
        if group is not None:
            self._group[uid] = group
            self._members[group] = self._members.get(group, 0) + 1
