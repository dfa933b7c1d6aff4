"""What surrounds a decision: doubts about the mirror, reservations, retries, counts, and what a fault does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from extender.deciding.decider import Clocks, Decider
from extender.deciding.offered import ExtenderArgs
from extender.deciding.outcomes import Outcome
from extender.deciding.reservations import Reservations
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import BINS, Expectations, known_survival
from extender.metrics import ExtenderMetrics
from extender.plan import Plan
from extender.settings import ExtenderSettings
from stowplan.kube.projection import Deadline, PodOwner, SignatureInterner, project_pod
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.pod import PodSignature
from tests.support.extender import Clock, cache_of, decider, info, node, signature

NODES = (info(node("busy"), {signature("other"): 1}), info(node("empty")))
NAMES = ["empty", "busy"]


def body(uid: str = "u1", name: str = "web-1", created: str = "1970-01-01T00:16:40Z", **spec: Any) -> bytes:
    """A pod of one core, created at the second 1000 at which the clocks of these tests begin."""
    container = {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    meta = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": created, "labels": {"app": "web"}}
    full = {"schedulerName": SCHEDULER_NAME, "containers": [container], **spec}
    return json.dumps({"metadata": meta, "spec": full}).encode()


def ask(uid: str = "u1", names: list[str] | None = None, **changes: Any) -> ExtenderArgs:
    return ExtenderArgs(msgspec.Raw(body(uid, **changes)), names or NAMES)


def count(metrics: ExtenderMetrics, verb: str, outcome: Outcome) -> float:
    for family in metrics.decisions.collect():
        for sample in family.samples:
            if sample.name.endswith("_total") and sample.labels == {"verb": verb, "outcome": outcome.value}:
                return sample.value
    return 0.0


def test_two_pods_asked_about_in_a_row_are_packed_as_if_the_first_were_there() -> None:
    # busy has 3 cores left: three pods fit, the fourth opens the empty node, all before any of them is seen bound.
    ours = decider(*NODES)

    kept = [list(ours.filter(ask(f"u{i}"))) for i in range(4)]

    assert kept == [["busy"], ["busy"], ["busy"], ["empty"]]


def test_a_second_call_within_the_window_offers_all() -> None:
    clock = Clock()
    ours = decider(*NODES, clocks=Clocks(clock, Clock()))

    first = ours.filter(ask())
    clock.now += 9
    second = ours.filter(ask())
    clock.now += 2
    third = ours.filter(ask())

    assert (first, second, third) == (["busy"], NAMES, ["busy"])


def test_filter_and_prioritize_of_one_cycle_are_not_a_retry_of_each_other() -> None:
    ours = decider(*NODES)

    assert ours.filter(ask()) == ["busy"]
    assert ours.prioritize(ask())[0] == ("busy", 8)
    assert ours.prioritize(ask()) == ()


@pytest.mark.parametrize("trouble", [Outcome.NOT_SYNCED, Outcome.LAGGING])
def test_a_mirror_that_cannot_be_trusted_changes_nothing(trouble: Outcome) -> None:
    metrics = ExtenderMetrics(Clock())
    ours = decider(*NODES, trouble=lambda: trouble, metrics=metrics)

    assert ours.filter(ask()) is NAMES
    assert ours.prioritize(ask()) == ()
    assert count(metrics, "filter", trouble) == 1


@pytest.mark.parametrize(("age", "outcome"), [(3.0, Outcome.GREEDY), (3.5, Outcome.LAGGING)])
def test_a_pod_that_the_mirror_should_have_seen_long_ago_shows_that_it_lags(age: float, outcome: Outcome) -> None:
    # created at 1000, cut to whole seconds (1 s), allowed lag 2 s: doubtful from an age of more than 3 s on
    metrics = ExtenderMetrics(Clock())
    ours = decider(*NODES, clocks=Clocks(Clock(), Clock(1000 + age)), metrics=metrics)

    ours.filter(ask())

    assert count(metrics, "filter", outcome) == 1


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_system_clock_that_jumps_changes_no_decision(jump: float) -> None:
    def decided(*jumps: float) -> tuple[list[object], float]:
        clock, off = Clock(), [0.0]
        metrics = ExtenderMetrics(Clock())
        ours = decider(*NODES, clocks=Clocks(clock, lambda: clock.now + off[0]), metrics=metrics)
        answers: list[object] = []
        for number, off[0] in enumerate(jumps):
            new = ask(
                f"u{number}", created=f"1970-01-01T00:16:{40 + number}Z"
            )  # at 1000, as the clock, and a second later each
            answers += [list(ours.filter(new)), list(ours.prioritize(new))]
            clock.now += 1
        ours.filter(ask("late", created="1970-01-01T00:16:40Z"))  # 4 s old and unknown to the mirror
        return answers, count(metrics, "filter", Outcome.LAGGING)

    there_and_back = decided(0, jump, jump, 0)

    assert there_and_back == decided(0, 0, 0, 0)
    assert there_and_back[1] == 1
    assert decided(0, jump, 0, jump) == there_and_back
    assert decided(0, 0, jump, jump) == there_and_back


@pytest.mark.parametrize(
    "raw", [b"null", b"{}", body(uid=""), body(containers=[{"resources": {"requests": {"cpu": "x"}}}])]
)
def test_a_pod_that_cannot_be_read_changes_nothing(raw: bytes) -> None:
    metrics = ExtenderMetrics(Clock())
    ours = decider(*NODES, metrics=metrics)

    assert ours.filter(ExtenderArgs(msgspec.Raw(raw), NAMES)) is NAMES
    assert count(metrics, "filter", Outcome.UNKNOWN_POD) == 1


def test_a_fault_of_ours_changes_nothing() -> None:
    def broken() -> Plan:
        raise RuntimeError("no plan")

    metrics = ExtenderMetrics(Clock())
    ours = decider(*NODES, plan=broken, metrics=metrics)

    assert ours.filter(ask()) is NAMES
    assert ours.prioritize(ask()) == ()
    assert count(metrics, "prioritize", Outcome.ERROR) == 1


@pytest.mark.parametrize(
    ("channel", "filtered", "scored"),
    [("narrow", ["busy"], False), ("prioritize", NAMES, True), ("both", ["busy"], True), ("off", NAMES, False)],
)
def test_channels(channel: Any, filtered: list[str], scored: bool) -> None:
    ours = decider(*NODES, settings=ExtenderSettings(channel=channel))

    assert ours.filter(ask()) == filtered
    assert bool(ours.prioritize(ask())) == scored


def test_a_new_plan_is_used_from_the_next_call_on_and_its_slots_run_out() -> None:
    plans = [Plan(generation=0), planned_on("empty", 1)]
    ours = decider(*NODES, plan=lambda: plans[0])

    before = ours.filter(ask("u1"))
    plans.reverse()
    after = ours.filter(ask("u2"))
    empty_handed = ours.filter(ask("u3"))

    assert (before, after, empty_handed) == (["busy"], ["empty"], ["busy"])


def test_templates_are_learned_together_with_whoever_feeds_the_cache() -> None:
    """From the start, while nothing is known yet: an interner without entries is false."""
    shared = SignatureInterner()
    decider(info(node("a")), info(node("b")), interner=shared).filter(ask("u1", ["a", "b"]))

    assert len(shared) == 1


def planned_on(where: str, pods: int) -> Plan:
    """A plan with slots for the pods of these tests."""
    sig: PodSignature = project_pod(body()).signature
    return Plan(generation=9, slots={sig: {where: pods}}, fill_order=("busy", "empty"))


def test_own_fill_order_follows_nodes_at_once() -> None:
    # The order was asked for while nothing was known; a cached one must not outlive the arrival of nodes.
    ours: Decider = decider()
    ours.filter(ask())
    late = decider(*NODES)

    assert ours.filter(ask("u2")) is NAMES
    assert late.filter(ask()) == ["busy"]


def test_reservations_expire_before_the_next_decision() -> None:
    clock = Clock()
    held = Reservations(clock, ttl=5)
    ours = decider(*NODES, reservations=held)
    for i in range(3):
        ours.filter(ask(f"u{i}"))
    clock.now += 5

    assert ours.filter(ask("u9")) == ["busy"]
    assert len(held) == 1


def test_the_decision_is_remembered_with_its_numbers() -> None:
    ours = decider(*NODES, plan=lambda: planned_on("empty", 1))

    ours.filter(ask())
    found = ours.decisions.by_name("shop", "web-1")

    assert found is ours.decisions.by_uid("u1")
    assert found is not None
    assert (found.outcome, found.node, found.offered, found.kept) == (Outcome.PLANNED, "empty", 2, 1)
    assert (found.plan_generation, found.at_s) == (9, 1000)


FOUR_IN_USE = tuple(info(node(f"busy-{i}"), {signature("other"): 1}) for i in range(4))


def ask_softly(workload_class: str) -> ExtenderArgs:
    """A pod of the class that would rather be spread over zones, offered all of `FOUR_IN_USE`."""
    soft = {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
    pod = json.loads(body(topologySpreadConstraints=[{**soft, "labelSelector": {"matchLabels": {"app": "web"}}}]))
    pod["metadata"]["labels"]["stowplan.dev/class"] = workload_class
    return ExtenderArgs(msgspec.Raw(json.dumps(pod).encode()), [there.node.name for there in FOUR_IN_USE])


@pytest.mark.parametrize(
    ("workload_class", "kept"),
    [
        ("batch", 1),
        ("elastic", 1),
        ("standard", 3),
        ("critical", 3),
        ("unheard-of", 3),
    ],  # weights of spread: 0, 5, 15, 25, none
)
def test_soft_preferences_get_a_choice_of_nodes_unless_the_class_packs(workload_class: str, kept: int) -> None:
    assert len(decider(*FOUR_IN_USE).filter(ask_softly(workload_class))) == kept


def test_classes_of_the_cluster_replace_the_built_in_ones() -> None:
    ours = decider(*FOUR_IN_USE)
    ours.set_classes({"batch": BUILTIN_CLASSES["critical"]})

    assert len(ours.filter(ask_softly("batch"))) == 3


@pytest.mark.parametrize(
    ("own", "jobs", "kept"),
    [
        (None, None, "long"),
        (None, 300, "brief"),
        (300, None, "brief"),
        (300, 40_000, "brief"),
        (40_000, 300, "brief"),
        (None, 40_000, "long"),
    ],
)
def test_the_deadline_of_a_job_bounds_what_its_pod_adds(own: int | None, jobs: int | None, kept: str) -> None:
    """Two nodes in use, the fuller one for five more minutes, the other one for days; pods live for hours."""
    there = (info(node("brief"), {signature("brief"): 3}), info(node("long"), {signature("long"): 1}))
    expectations = Expectations({(): 0}, np.full((1, BINS), 1 / 14_400))
    curves = NodeCurves()
    curves.load(np.arange(2), ["brief", "long"], known_survival(np.array([300.0, 1e6])).__getitem__)
    values = NodeValues(10**6, {"brief": 0, "long": 1}, curves, expectations)
    cache = cache_of(*there)
    if jobs is not None:
        cache.upsert_owner(PodOwner("shop", "Job", "nightly", 1, Deadline(1000, 1000 + jobs)))
    ours = decider(cache=cache, values=lambda: values)

    manifest = json.loads(body() if own is None else body(activeDeadlineSeconds=own))
    manifest["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "nightly", "uid": "j", "controller": True}]

    assert ours.filter(ExtenderArgs(msgspec.Raw(json.dumps(manifest).encode()), ["long", "brief"])) == [kept]
