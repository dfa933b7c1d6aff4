"""Whether all members of a pod group are there, and how many slots they need: pure, from counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from extender.cluster.owners import KINDS, OwnerKey
from extender.gating.held import Group, HeldPods, group_of
from stowplan.model.pod import Pod

_COUNTED: tuple[str, ...] = tuple(f"{kind}/" for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Need:
    """What a group with held pods waits for."""

    complete: bool
    """Whether all members that must stand together exist."""
    slots: int
    """That its held pods need at once; others of the group stand, or have been let go already."""


class Groups:
    """Sizes of groups.

    Args:
        held: members by group.
        wanted: pods that an owner wants, 0 where it is not known (yet).
        least: `minMember` of the PodGroups known.
    """

    def __init__(
        self, held: HeldPods, wanted: Callable[[OwnerKey], int], least: Callable[[], Mapping[Group, int]]
    ) -> None:
        self._held = held
        self._wanted = wanted
        self._least = least

    def need(self, pods: Sequence[Pod]) -> Need | None:
        """What the held pods of one group need; None where nobody says how many belong together, so that there is nothing to wait for."""
        group = group_of(pods[0])
        if group is None:
            return None
        gangs = [pod.signature.gang for pod in pods if pod.signature.gang is not None]
        if any(gang.whole for gang in gangs):
            total = self._all_of({(pod.namespace, pod.signature.owner_key) for pod in pods})
        else:
            total = max(gang.least for gang in gangs) or self._least().get(group, 0) or None
        if total is None:
            return None
        there = self._held.members(group)
        elsewhere = there - len(pods)
        return Need(0 < total <= there, min(len(pods), max(1, total - elsewhere)))

    def _all_of(self, owners: set[OwnerKey]) -> int | None:
        """Pods that these owners want together; 0 while one of them is not known, None where one is of a kind that nobody counts."""
        if not all(key.startswith(_COUNTED) for _, key in owners):
            return None
        wanted = [self._wanted(owner) for owner in owners]
        return sum(wanted) if all(wanted) else 0
