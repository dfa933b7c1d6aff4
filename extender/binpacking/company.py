"""Preferred pod (anti-)affinity: whose company an item likes or avoids, as rules between the items of an instance.

What is weighed is the pod's own terms. That pods standing on a node may in turn prefer or avoid the newcomer (the symmetric half of
kube-scheduler's InterPodAffinity score) is left to the scheduler's scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extender.binpacking.topology import Namespaces, Residents, term_selects
from stowplan.model.pod import PodSignature


@dataclass(frozen=True, slots=True)
class CompanyRule:
    """One preferred term of one item."""

    item: int
    key: str
    weight: int
    """1 to 100, negative for anti-affinity."""
    standing: Mapping[str, int]
    """Domain -> matching pods there already."""
    matching: frozenset[int]
    """Items whose pods match; perhaps the item itself."""

    @property
    def others(self) -> list[int]:
        """Items that match, without the item itself."""
        return sorted(self.matching - {self.item})

    def unmet(self, domain: str | None, own: int, others: int) -> int:
        """How many of the item's `own` pods in a domain go without what they prefer, beside `others` placed there that match.

        The first pod of a group that prefers itself is alone when it comes (it counts under affinity, not under anti-affinity), as in
        kube-scheduler, which scores one pod at a time.
        """
        if own == 0:
            return 0
        accompanied = others > 0 or (domain is not None and self.standing.get(domain, 0) > 0)
        itself = self.item in self.matching and domain is not None
        if self.weight > 0:
            return 0 if accompanied else (1 if itself else own)
        return own if accompanied else (own - 1 if itself else 0)


def company_rules(
    signatures: Sequence[PodSignature], residents: Residents, namespaces: Namespaces
) -> tuple[CompanyRule, ...]:
    """One rule for every preferred term of every item."""
    rules = []
    for item, signature in enumerate(signatures):
        for term in signature.preferred_affinity:
            found = [s for s in residents.standing if term_selects(term, s, namespaces)]
            counts = residents.count(found, (term.topology_key,))
            standing: Counter[str] = Counter({value: count for (_, value), count in counts.items()})
            matching = frozenset(j for j, other in enumerate(signatures) if term_selects(term, other, namespaces))
            rules.append(CompanyRule(item, term.topology_key, term.weight, standing, matching))
    return tuple(rules)
