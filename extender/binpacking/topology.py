"""Rules between pods: who may share a domain with whom, as kube-scheduler's InterPodAffinity and PodTopologySpread filters count it.

Everything that stands on the nodes already is counted here once; what remains are rules between the items of the instance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extender.binpacking.eligibility import matches_node_affinity
from extender.cluster.snapshot import NodeInfo
from stowplan.model.node import Node
from stowplan.model.pod import PodAffinityTerm, PodSignature, SpreadConstraint
from stowplan.model.selectors import untolerated

Domain = tuple[str, str]
"""A topology key and its value."""
Namespaces = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class AffinityRule:
    """Required affinity of one item: every key's domain needs a pod that matches all its terms."""

    item: int
    keys: tuple[str, ...]
    standing: Mapping[Domain, int]
    """Matching pods on the nodes already."""
    matching: frozenset[int]
    """Items whose pods match."""


@dataclass(frozen=True, slots=True)
class SpreadRule:
    """One topology spread constraint of one item."""

    item: int
    constraint: SpreadConstraint
    domains: tuple[str | None, ...]
    """By node index: its domain, or None where the constraint does not count the node."""
    standing: Mapping[str, int]
    """Domain -> matching pods already there; every counted domain is named."""
    matching: frozenset[int]

    @property
    def self_matching(self) -> bool:
        """Whether the item's own pods are counted."""
        return self.item in self.matching

    @property
    def enough_domains(self) -> bool:
        """Whether `minDomains` is met; where it is not, kube-scheduler takes the minimum for zero."""
        return len(self.standing) >= self.constraint.min_domains


def term_selects(term: PodAffinityTerm, signature: PodSignature, namespaces: Namespaces) -> bool:
    """Whether pods of a signature are what an affinity term speaks of."""
    if term.selector is None:
        return False
    if signature.namespace not in term.namespaces:
        selector = term.namespace_selector
        if selector is None or not selector.matches(namespaces.get(signature.namespace, {})):
            return False
    return term.selector.matches(dict(signature.labels))


def spread_selects(constraint: SpreadConstraint, namespace: str, signature: PodSignature) -> bool:
    """Whether a constraint in a namespace counts pods of a signature. The empty selector counts none (`countPodsMatchSelector`)."""
    selector = constraint.selector
    if selector is None or not selector.expressions or signature.namespace != namespace:
        return False
    return selector.matches(dict(signature.labels))


class Residents:
    """The pods on the nodes by signature, for counting by domain."""

    def __init__(self, infos: Sequence[NodeInfo]) -> None:
        self.nodes: tuple[Node, ...] = tuple(info.node for info in infos)
        by_identity: dict[int, list[tuple[int, int]]] = {}
        self.standing: dict[PodSignature, list[tuple[int, int]]] = {}
        for index, info in enumerate(infos):
            for signature, count in info.residents.items():
                places = by_identity.get(
                    id(signature)
                )  # the deep hash of a signature is paid once per object, not per pod
                if places is None:
                    places = by_identity[id(signature)] = self.standing.setdefault(signature, [])
                places.append((index, count))
        self.repelling = [signature for signature in self.standing if signature.anti_affinity]

    def count(self, signatures: Sequence[PodSignature], keys: Sequence[str]) -> Counter[Domain]:
        """Pods of the signatures by domain of each key."""
        counts: Counter[Domain] = Counter()
        for signature in signatures:
            for index, count in self.standing[signature]:
                labels = self.nodes[index].labels
                for key in set(keys) & labels.keys():
                    counts[key, labels[key]] += count
        return counts


def repelled_domains(signature: PodSignature, residents: Residents, namespaces: Namespaces) -> set[Domain]:
    """Domains closed to a signature by required anti-affinity, its own against the residents or theirs against it."""
    closed: set[Domain] = set()
    for term in signature.anti_affinity:
        matched = [s for s in residents.standing if term_selects(term, s, namespaces)]
        closed.update(residents.count(matched, (term.topology_key,)))
    for resident in residents.repelling:
        for term in resident.anti_affinity:
            if term_selects(term, signature, namespaces):
                closed.update(residents.count((resident,), (term.topology_key,)))
    return closed


def separations(signatures: Sequence[PodSignature], namespaces: Namespaces) -> dict[int, frozenset[tuple[str, int]]]:
    """Item -> (topology key, other item) that may not share a domain; symmetric, an item may repel itself."""
    apart: dict[int, set[tuple[str, int]]] = {}
    for holder, signature in enumerate(signatures):
        for term in signature.anti_affinity:
            for other, candidate in enumerate(signatures):
                if term_selects(term, candidate, namespaces):
                    apart.setdefault(holder, set()).add((term.topology_key, other))
                    apart.setdefault(other, set()).add((term.topology_key, holder))
    return {item: frozenset(others) for item, others in apart.items()}


def affinity_rules(
    signatures: Sequence[PodSignature], residents: Residents, namespaces: Namespaces
) -> list[AffinityRule]:
    """One rule for every item with required affinity."""
    rules = []
    for item, signature in enumerate(signatures):
        if not signature.affinity:
            continue

        def selects_all(other: PodSignature, terms: tuple[PodAffinityTerm, ...] = signature.affinity) -> bool:
            return all(term_selects(term, other, namespaces) for term in terms)

        keys = tuple(dict.fromkeys(term.topology_key for term in signature.affinity))
        standing = residents.count([s for s in residents.standing if selects_all(s)], keys)
        matching = frozenset(other for other, candidate in enumerate(signatures) if selects_all(candidate))
        rules.append(AffinityRule(item, keys, standing, matching))
    return rules


def spread_rules(signatures: Sequence[PodSignature], residents: Residents) -> list[SpreadRule]:
    """One rule for every spread constraint, hard and soft."""
    return [
        _spread_rule(item, constraint, signatures, residents)
        for item, signature in enumerate(signatures)
        for constraint in signature.spread
    ]


def _spread_rule(
    item: int, constraint: SpreadConstraint, signatures: Sequence[PodSignature], residents: Residents
) -> SpreadRule:
    signature = signatures[item]
    domains = tuple(_spread_domain(signature, constraint, node) for node in residents.nodes)
    standing: Counter[str] = Counter()
    for domain in domains:
        if domain is not None:
            standing[domain] += 0
    for resident, places in residents.standing.items():
        if spread_selects(constraint, signature.namespace, resident):
            for index, count in places:
                domain = domains[index]
                if domain is not None:
                    standing[domain] += count
    matching = frozenset(j for j, s in enumerate(signatures) if spread_selects(constraint, signature.namespace, s))
    return SpreadRule(item, constraint, domains, standing, matching)


def _spread_domain(signature: PodSignature, constraint: SpreadConstraint, node: Node) -> str | None:
    """The domain of a node that the constraint counts: all hard keys present, inclusion policies met."""
    needed = {c.topology_key for c in signature.spread if c.hard == constraint.hard}
    if not needed <= node.labels.keys():
        return None
    if constraint.honor_node_affinity and not matches_node_affinity(signature, node.labels, node.name):
        return None
    if constraint.honor_taints and untolerated(signature.tolerations, node.taints) is not None:
        return None
    return node.labels[constraint.topology_key]
