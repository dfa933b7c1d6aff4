"""Pod groups that need all or nothing, as rules between the items of an instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extender.binpacking.topology import Residents
from stowplan.model.pod import PodSignature

Group = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class GangRule:
    """Items of which at least `needed` pods are placed together, or none."""

    group: Group
    items: frozenset[int]
    needed: int
    """Beside those that stand already."""
    waiting: int

    def short(self, placed: int) -> bool:
        """Whether so many placed pods are some, but too few."""
        return 0 < placed < self.needed


def gang_rules(
    signatures: Sequence[PodSignature],
    counts: Sequence[int],
    residents: Residents,
    least: Mapping[Group, int],
) -> tuple[GangRule, ...]:
    """One rule for every group that still needs pods; a group whose least number nobody says has none.

    Args:
        signatures: of the items.
        counts: of the items.
        residents: what stands.
        least: `minMember` of PodGroups.
    """
    members: dict[Group, list[int]] = {}
    for item, signature in enumerate(signatures):
        if signature.gang is not None:
            members.setdefault((signature.namespace, signature.gang.name), []).append(item)
    if not members:
        return ()
    standing = dict.fromkeys(members, 0)
    for signature, places in residents.standing.items():
        if signature.gang is not None and (group := (signature.namespace, signature.gang.name)) in standing:
            standing[group] += sum(count for _, count in places)
    rules = []
    for group, items in members.items():
        waiting = sum(counts[item] for item in items)
        wanted = max(_least(signatures[item], waiting + standing[group], least.get(group, 0)) for item in items)
        if wanted > standing[group]:
            rules.append(GangRule(group, frozenset(items), wanted - standing[group], waiting))
    return tuple(rules)


def _least(signature: PodSignature, known: int, of_group: int) -> int:
    gang = signature.gang
    if gang is None:
        return 0
    return known if gang.whole else gang.least or of_group
