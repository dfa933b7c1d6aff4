"""The user's words, made safe."""

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Cost, Latency, Size
from tests.support.learned import NOW_S
from webhook.intent import ContainerPolicy, Keep, read_intent

_P = "stowplan.dev/"


@pytest.mark.parametrize(
    ("class_name", "label", "value", "latency", "cost", "warned"),
    [
        ("standard", "latency", "tight", Latency.TIGHT, None, False),
        ("batch", "latency", "tight", Latency.NORMAL, None, True),
        ("dev", "latency", "tight", Latency.NORMAL, None, True),
        ("critical", "cost", "save", None, None, True),
        ("elastic", "cost", "save", None, Cost.SAVE, False),
        ("standard", "cost", "cheap", None, None, True),
    ],
)
def test_forbidden_pairs_take_the_safe_value(
    class_name: str, label: str, value: str, latency: Latency | None, cost: Cost | None, *, warned: bool
) -> None:
    intent = read_intent({_P + label: value}, {}, BUILTIN_CLASSES[class_name])

    assert (intent.latency, intent.cost, bool(intent.warnings)) == (latency, cost, warned)


def test_bounds_are_amounts_and_a_named_size_wins_over_them() -> None:
    bounds = {f"{_P}cpu-min": "250m", f"{_P}memory-max": "1.5Gi"}
    standard = BUILTIN_CLASSES["standard"]

    plain = read_intent({}, bounds, standard)
    named = read_intent({f"{_P}size": "l"}, bounds, standard)

    assert (plain.minimum, plain.maximum) == ({"cpu": 250}, {"memory": 1536 * 2**20})
    assert (named.size, named.minimum, named.maximum) == (Size.L, {}, {})
    assert named.warnings


def test_crossed_or_unreadable_bounds_are_ignored_with_a_warning() -> None:
    bounds = {f"{_P}cpu-min": "2", f"{_P}cpu-max": "1", f"{_P}memory-min": "lots"}

    intent = read_intent({}, bounds, BUILTIN_CLASSES["standard"])

    assert (intent.minimum, intent.maximum) == ({}, {})
    assert len(intent.warnings) == 2


def test_keep_and_container_policies() -> None:
    annotations = {f"{_P}keep": "size, spread,everything", "mesh.containers.stowplan.dev/policy": "fixed"}

    intent = read_intent({}, annotations, BUILTIN_CLASSES["standard"])

    assert intent.keep == {Keep.SIZE, Keep.SPREAD}
    assert intent.policies == {"mesh": ContainerPolicy.FIXED}
    assert len(intent.warnings) == 1


def test_only_a_written_auto_is_consent() -> None:
    standard = BUILTIN_CLASSES["standard"]

    assert read_intent({f"{_P}size": "auto"}, {}, standard).consents
    assert not read_intent({}, {}, standard).consents


@pytest.mark.parametrize(
    ("expires", "counts", "warning"),
    [
        ("2027-01-15", True, None),  # the tests' day itself
        (
            "2027-01-14",
            False,
            "stowplan.dev/override-expires=2027-01-14 is over: keep and container policies no longer count",
        ),
        ("soon", True, "stowplan.dev/override-expires: ignored, 'soon' is no day; write for example 2027-01-31"),
        ("", True, None),
    ],
)
def test_overrides_may_end(expires: str, warning: str | None, *, counts: bool) -> None:
    annotations = {
        "stowplan.dev/keep": "size",
        "mesh.containers.stowplan.dev/policy": "fixed",
        "stowplan.dev/override-reason": "the mesh team owns it",
        "stowplan.dev/override-expires": expires,
    }

    intent = read_intent({}, annotations, BUILTIN_CLASSES["standard"], NOW_S)

    assert (Keep.SIZE in intent.keep, "mesh" in intent.policies) == (counts, counts)
    assert intent.override_reason == ("the mesh team owns it" if counts else "")
    assert intent.warnings == (() if warning is None else (warning,))
