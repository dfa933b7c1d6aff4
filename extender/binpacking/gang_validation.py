"""The validator's own count of pod groups that need all or nothing; it shares no rule with `gangs`."""

from __future__ import annotations

from collections import Counter

from extender.cluster.snapshot import Snapshot
from stowplan.model.pod import PodSignature


def short_gangs(snapshot: Snapshot, placed: Counter[PodSignature]) -> set[PodSignature]:
    """Signatures that are placed in part, of groups that then have fewer pods than they need."""
    return {
        signature
        for signature in placed
        if signature.gang is not None
        and _standing(snapshot, signature) + sum(placed[member] for member in _members(snapshot, signature))
        < _wanted(snapshot, signature)
    }


def _same(one: PodSignature, other: PodSignature) -> bool:
    if one.gang is None or other.gang is None:
        return False
    return (one.namespace, one.gang.name) == (other.namespace, other.gang.name)


def _members(snapshot: Snapshot, signature: PodSignature) -> list[PodSignature]:
    """What waits of the group."""
    return [other for other in snapshot.pending if _same(signature, other) and not other.unplannable]


def _standing(snapshot: Snapshot, signature: PodSignature) -> int:
    residents = (entry for info in snapshot.nodes.values() for entry in info.residents.items())
    return sum(count for other, count in residents if _same(signature, other))


def _wanted(snapshot: Snapshot, signature: PodSignature) -> int:
    """The most that a member asks for."""
    members = _members(snapshot, signature)
    everybody = _standing(snapshot, signature) + sum(snapshot.pending[member] for member in members)
    wanted = 0
    for member in members:
        gang = member.gang
        if gang is not None:
            least = gang.least or snapshot.pod_groups.get((member.namespace, gang.name), 0)
            wanted = max(wanted, everybody if gang.whole else least)
    return wanted
