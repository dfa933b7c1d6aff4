"""Label selectors, node selectors, taints and tolerations, with the semantics of `k8s.io/component-helpers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement: `key operator values`; operators In, NotIn, Exists, DoesNotExist, and for nodes Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether the labels satisfy it. NotIn and DoesNotExist hold for an absent key; an unknown operator never does."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return self._compares(value)
            case _:
                return False

    def _compares(self, value: str | None) -> bool:
        try:
            left, right = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return left > right if self.operator == "Gt" else left < right


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A conjunction of expressions; the empty selector matches everything, no selector (None) matches nothing."""

    expressions: tuple[Expression, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether all expressions hold."""
        return all(expression.matches(labels) for expression in self.expressions)


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """One alternative of a node selector: expressions over labels and over fields (`metadata.name` only)."""

    expressions: tuple[Expression, ...] = ()
    fields: tuple[Expression, ...] = ()

    def matches(self, labels: Labels, name: str) -> bool:
        """Whether the node matches; an empty term matches nothing (kube-scheduler)."""
        if not self.expressions and not self.fields:
            return False
        own = {"metadata.name": name}
        return all(e.matches(labels) for e in self.expressions) and all(e.matches(own) for e in self.fields)


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint; effects NoSchedule and NoExecute keep pods away, PreferNoSchedule only discourages."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's toleration; an empty key with Exists tolerates everything, an empty effect every effect."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        """Whether it covers the taint (`v1.Toleration.ToleratesTaint`)."""
        if self.effect not in ("", taint.effect) or self.key not in ("", taint.key):
            return False
        match self.operator:
            case "" | "Equal":
                return self.value == taint.value
            case "Exists":
                return True
            case _:  # Gt and Lt (KEP-5471, alpha) and whatever comes later: doubt means no
                return False


def untolerated(tolerations: Sequence[Toleration], taints: Sequence[Taint]) -> Taint | None:
    """The first taint that keeps the pod off the node, or None."""
    for taint in taints:
        if taint.effect == "PreferNoSchedule":
            continue
        if not any(toleration.tolerates(taint) for toleration in tolerations):
            return taint
    return None


def parse_expressions(items: Sequence[Mapping[str, Any]] | None) -> tuple[Expression, ...]:
    """`matchExpressions` or `matchFields` of the API."""
    return tuple(Expression(e["key"], e["operator"], tuple(e.get("values") or ())) for e in items or ())


def parse_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """A `LabelSelector` of the API in a canonical order; None stays None (it matches nothing)."""
    if selector is None:
        return None
    labels = tuple(Expression(k, "In", (v,)) for k, v in sorted((selector.get("matchLabels") or {}).items()))
    return LabelSelector(labels + parse_expressions(selector.get("matchExpressions")))


def parse_node_selector_term(term: Mapping[str, Any]) -> NodeSelectorTerm:
    """A `NodeSelectorTerm` of the API."""
    return NodeSelectorTerm(parse_expressions(term.get("matchExpressions")), parse_expressions(term.get("matchFields")))


def parse_taint(taint: Mapping[str, Any]) -> Taint:
    """A `Taint` of the API."""
    return Taint(taint["key"], taint.get("value") or "", taint["effect"])


def parse_toleration(toleration: Mapping[str, Any]) -> Toleration:
    """A `Toleration` of the API."""
    return Toleration(
        toleration.get("key") or "",
        toleration.get("operator") or "",
        toleration.get("value") or "",
        toleration.get("effect") or "",
    )
