"""Selectors, taints and tolerations with the semantics of k8s.io/component-helpers."""

import pytest

from stowplan.model.selectors import (
    Expression,
    LabelSelector,
    NodeSelectorTerm,
    Taint,
    Toleration,
    parse_label_selector,
    parse_node_selector_term,
    parse_taint,
    parse_toleration,
    untolerated,
)

LABELS = {"app": "shop", "cores": "8"}


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        (Expression("app", "In", ("shop", "pay")), True),
        (Expression("app", "In", ("pay",)), False),
        (Expression("absent", "In", ("x",)), False),
        (Expression("app", "NotIn", ("pay",)), True),
        (Expression("app", "NotIn", ("shop",)), False),
        (Expression("absent", "NotIn", ("x",)), True),  # an absent key is not in any set
        (Expression("app", "Exists"), True),
        (Expression("absent", "Exists"), False),
        (Expression("app", "DoesNotExist"), False),
        (Expression("absent", "DoesNotExist"), True),
        (Expression("cores", "Gt", ("7",)), True),
        (Expression("cores", "Gt", ("8",)), False),
        (Expression("cores", "Lt", ("9",)), True),
        (Expression("app", "Gt", ("1",)), False),  # not a number
        (Expression("absent", "Lt", ("1",)), False),
        (Expression("cores", "Gt"), False),
        (Expression("app", "Like", ("s*",)), False),  # unknown operators never match
    ],
)
def test_expressions(expression: Expression, *, matches: bool) -> None:
    assert expression.matches(LABELS) is matches


def test_an_empty_selector_matches_everything_and_none_matches_nothing() -> None:
    assert LabelSelector().matches({})
    assert parse_label_selector({}) == LabelSelector()
    assert parse_label_selector(None) is None


def test_label_selectors_are_parsed_into_a_canonical_order() -> None:
    one = parse_label_selector({"matchLabels": {"b": "2", "a": "1"}})
    other = parse_label_selector({"matchLabels": {"a": "1", "b": "2"}})

    assert one == other
    assert one is not None
    assert one.matches({"a": "1", "b": "2", "c": "3"})
    assert not one.matches({"a": "1"})


def test_node_selector_terms_join_labels_and_fields_and_an_empty_one_matches_nothing() -> None:
    term = parse_node_selector_term(
        {
            "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}],
            "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}],
        }
    )

    assert term.matches({"zone": "a"}, "n1")
    assert not term.matches({"zone": "a"}, "n2")
    assert not term.matches({"zone": "b"}, "n1")
    assert not NodeSelectorTerm().matches({}, "n1")


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        (Toleration("gpu", "Equal", "yes", "NoSchedule"), True),
        (Toleration("gpu", "", "yes", ""), True),  # the operator defaults to Equal, no effect means all
        (Toleration("gpu", "Equal", "no", ""), False),
        (Toleration("gpu", "Exists", "", ""), True),
        (Toleration("", "Exists", "", ""), True),
        (Toleration("gpu", "Exists", "", "NoExecute"), False),
        (Toleration("spot", "Exists", "", ""), False),
        (Toleration("gpu", "Gt", "1", ""), False),
    ],
)
def test_tolerations(toleration: Toleration, *, tolerates: bool) -> None:
    assert toleration.tolerates(Taint("gpu", "yes", "NoSchedule")) is tolerates


def test_the_first_taint_that_keeps_a_pod_away_is_named_and_preferences_do_not_count() -> None:
    taints = [Taint("soft", "", "PreferNoSchedule"), Taint("gpu", "", "NoSchedule"), Taint("old", "", "NoExecute")]

    assert untolerated([], taints) == taints[1]
    assert untolerated([Toleration("gpu", "Exists", "", "")], taints) == taints[2]
    assert untolerated([Toleration("", "Exists", "", "")], taints) is None


def test_taints_and_tolerations_are_parsed_with_absent_fields() -> None:
    assert parse_taint({"key": "gpu", "effect": "NoSchedule"}) == Taint("gpu", "", "NoSchedule")
    assert parse_toleration({"operator": "Exists"}) == Toleration("", "Exists", "", "")
