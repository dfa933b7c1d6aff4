"""Static checks of one node for one signature: what no placement can change.

Semantics of kube-scheduler's NodeUnschedulable, TaintToleration and NodeAffinity filters. Stricter in one place, on purpose: a cordoned or
unready node is never planned, even for a pod that tolerates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from extender.binpacking.refusal import Refusal, RefusalReason
from stowplan.model.node import Node
from stowplan.model.pod import PodSignature
from stowplan.model.selectors import Taint, untolerated

_NOT_READY = Refusal(RefusalReason.NOT_READY)
_TAINT = Refusal(RefusalReason.UNTOLERATED_TAINT)
_NODE_AFFINITY = Refusal(RefusalReason.NODE_AFFINITY)
_KEY_MISSING = Refusal(RefusalReason.TOPOLOGY_KEY_MISSING)


def matches_node_affinity(signature: PodSignature, labels: Mapping[str, str], name: str) -> bool:
    """Whether `spec.nodeSelector` and the required node affinity accept a node."""
    if not all(expression.matches(labels) for expression in signature.node_selector):
        return False
    return signature.required_nodes is None or any(term.matches(labels, name) for term in signature.required_nodes)


def topology_keys(signature: PodSignature) -> frozenset[str]:
    """Labels without which a node refuses the pod: keys of hard spread constraints and of required affinity terms."""
    hard = (constraint.topology_key for constraint in signature.spread if constraint.hard)
    return frozenset(hard) | {term.topology_key for term in signature.affinity}


def selector_keys(signatures: Iterable[PodSignature]) -> frozenset[str]:
    """Labels that node selectors and node affinities (required and preferred) of the signatures read."""
    keys: set[str] = set()
    for signature in signatures:
        keys.update(expression.key for expression in signature.node_selector)
        preferred = tuple(preference.term for preference in signature.preferred_nodes)
        for term in (signature.required_nodes or ()) + preferred:
            keys.update(expression.key for expression in term.expressions)
    return frozenset(keys)


def names_nodes(signature: PodSignature) -> bool:
    """Whether a term selects nodes by name (`matchFields`), so that equal nodes are not equal to this pod."""
    preferred = tuple(preference.term for preference in signature.preferred_nodes)
    return any(term.fields for term in (signature.required_nodes or ()) + preferred)


@dataclass(frozen=True, slots=True)
class NodeFace:
    """All that static checks read of a node; nodes with one face get one verdict."""

    usable: bool
    taints: tuple[Taint, ...]
    labels: tuple[tuple[str, str], ...]


def face(node: Node, keys: frozenset[str]) -> NodeFace:
    """The face of a node, with only the labels in `keys`."""
    labels = tuple((key, node.labels[key]) for key in sorted(keys) if key in node.labels)
    return NodeFace(node.ready and not node.unschedulable, node.taints, labels)


class Eligibility:
    """Static verdicts, computed once per signature and node face."""

    def __init__(self, signatures: Iterable[PodSignature]) -> None:
        known = tuple(signatures)
        self._keys = selector_keys(known).union(*(topology_keys(s) for s in known))
        self._faces: dict[str, NodeFace] = {}

    def verdicts(self, signature: PodSignature, nodes: Iterable[Node]) -> list[Refusal | None]:
        """For every node the refusal, or None where nothing static stands against the pod."""
        by_name = names_nodes(signature)
        known: dict[NodeFace, Refusal | None] = {}
        verdicts: list[Refusal | None] = []
        for node in nodes:
            if by_name:
                verdicts.append(check(signature, node))
                continue
            key = self._face(node)
            if key not in known:
                known[key] = check(signature, node)
            verdicts.append(known[key])
        return verdicts

    def _face(self, node: Node) -> NodeFace:
        found = self._faces.get(node.name)
        if found is None:
            found = self._faces[node.name] = face(node, self._keys)
        return found


def check(signature: PodSignature, node: Node) -> Refusal | None:
    """The static verdict on one node, without a cache."""
    if node.unschedulable or not node.ready:
        return _NOT_READY
    if untolerated(signature.tolerations, node.taints) is not None:
        return _TAINT
    if not matches_node_affinity(signature, node.labels, node.name):
        return _NODE_AFFINITY
    return None if topology_keys(signature) <= node.labels.keys() else _KEY_MISSING
