"""Builders and strategies of learned profiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import (
    AchievedRisk,
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Regression,
    Risk,
    Signal,
    Source,
    WorkloadProfile,
)
from stowplan.model.workload import WorkloadKey
from stowplan.model.workload_class import Cost
from tests.support.pods import GIB, MIB, NAMESPACE, clusters
from webhook.autoscalers import HorizontalAutoscaler, Scaling, Vertical, VerticalAutoscaler, vertical_of
from webhook.containers import COMPUTE
from webhook.node_room import largest
from webhook.profiles import LearnedProfile, learned_from
from webhook.state import ClusterState

NOW_S = 1_800_000_000
"""The time of the tests: 2027-01-15."""
DAY_S = 86_400


def recommended(name: str = "app", cpu: int | None = 150, memory: int | None = 320 * MIB, **more: Any) -> Any:
    """A container's recommendation with full provenance."""
    known = {"cpu": cpu, "memory": memory}
    defaults: dict[str, Any] = {
        "confidence": Confidence.HIGH,
        "formula": "cpu 137m: p95 + 15%; memory: peak 290Mi + 10%",
        "samples": 20_160,
        "days": 14,
        "clamps": ("cpu step",),
        "saving_micro_usd_per_hour": 20_000,  # times 730 hours: 14.60 dollars a month
    }
    return ContainerRecommendation(
        name, {resource: amount for resource, amount in known.items() if amount is not None}, **{**defaults, **more}
    )


def profile(
    *containers: ContainerRecommendation, workload_class: str = "standard", name: str = "web", **more: Any
) -> WorkloadProfile:
    """The profile of a Deployment in `NAMESPACE` under one class."""
    under = ClassRecommendation(workload_class, Cost.BALANCED, containers or (recommended(),))
    defaults = {"updated_s": NOW_S, "observed_class": workload_class, "recommendations": (under,)}
    return WorkloadProfile(NAMESPACE, "Deployment", name, **{**defaults, **more})


def regression(until_s: int = NOW_S + DAY_S) -> Regression:
    """A step back that is still current."""
    return Regression(Signal.OOM_RATE, NOW_S - DAY_S, until_s, "OOM kills rose from 0 to 3 a day")


def risk() -> AchievedRisk:
    """Declared and achieved: 6 % and 1.2 % of time overrun."""
    return AchievedRisk(Risk(60_000, 60_000, 40_000), Risk(12_000, 3_000, 0), 10)


def stored(*profiles: WorkloadProfile) -> dict[WorkloadKey, LearnedProfile]:
    """What the webhook's store holds of them."""
    return {found.target: found.value for found in map(learned_from, profiles)}


@st.composite
def recommendations(draw: st.DrawFn, name: str) -> ContainerRecommendation:
    """Any recommendation, sensible or not."""
    amounts = {
        "cpu": draw(st.none() | st.sampled_from([0, 1, 30, 250, 3_700, 70_000])),
        "memory": draw(st.none() | st.sampled_from([0, 1, 100 * MIB, 300 * MIB + 7, 3 * GIB, 300 * GIB])),
    }
    return ContainerRecommendation(
        name,
        {resource: amount for resource, amount in amounts.items() if amount is not None},
        confidence=draw(st.sampled_from(Confidence)),
        source=draw(st.sampled_from(Source)),
        formula=draw(st.sampled_from(["", "p95 + 15%", "f" * 1024])),
        samples=draw(st.integers(0, 10**6)),
        days=draw(st.integers(0, 30)),
        clamps=tuple(draw(st.lists(st.sampled_from(["cpu step", "memory held"]), max_size=2))),
        saving_micro_usd_per_hour=draw(st.integers(-(10**7), 10**7)),
    )


@st.composite
def workload_profiles(draw: st.DrawFn, kind: str, name: str) -> WorkloadProfile:
    """Any profile of a workload whose pods `tests.support.pods.pods` makes."""
    names = ("c0", "c1", "c2", "i0", "i1")
    classes = draw(st.lists(st.sampled_from(sorted(BUILTIN_CLASSES)), unique=True, max_size=3))
    under = tuple(
        ClassRecommendation(
            c,
            draw(st.sampled_from(Cost)),
            tuple(draw(recommendations(n)) for n in draw(st.lists(st.sampled_from(names), unique=True))),
        )
        for c in classes
    )
    return WorkloadProfile(
        NAMESPACE,
        kind,
        name,
        updated_s=NOW_S - draw(st.sampled_from([0, 15 * DAY_S])),
        observed_class=draw(st.sampled_from(["standard", "batch"])),
        recommendations=under,
        risk=draw(st.sampled_from([None, risk()])),
        regression=draw(st.sampled_from([None, regression(), regression(NOW_S)])),
    )


@st.composite
def learned_clusters(draw: st.DrawFn) -> ClusterState:
    """Cluster states in which any profile of the pods' workloads is known."""
    owners = [("ReplicaSet", "web-abc"), ("DaemonSet", "agent"), ("CronJob", "encode"), ("Pod", "web-abc")]
    some = st.lists(st.sampled_from(owners), unique=True)
    known = [draw(workload_profiles(kind, name)) for kind, name in draw(some)]
    return replace(
        draw(clusters()),
        profiles=stored(*known),
        now_s=NOW_S,
        scaling={WorkloadKey(NAMESPACE, kind, name): draw(scalings()) for kind, name in draw(some)},
        verticals={WorkloadKey(NAMESPACE, kind, name): draw(verticals()) for kind, name in draw(some)[:1]},
        node_shapes=largest(draw(st.lists(st.sampled_from([(500, GIB), (4000, 8 * GIB), (2000, 64 * GIB)])))),
    )


@st.composite
def verticals(draw: st.DrawFn) -> Vertical:
    """A VerticalPodAutoscaler of any resources, other ones of single containers."""
    some = st.sampled_from([(), ("cpu",), ("memory",), COMPUTE])
    single = draw(st.dictionaries(st.sampled_from(["c0", "c1", "i0"]), some))
    return vertical_of((VerticalAutoscaler("vpa", tuple(single.items()), draw(some)),))


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    """HorizontalPodAutoscalers on any resources of the whole pod and of single containers."""
    whole = draw(st.lists(st.sampled_from(["cpu", "memory"]), unique=True))
    single = draw(st.lists(st.tuples(st.sampled_from(["c0", "c1", "i0"]), st.sampled_from(["cpu", "memory"]))))
    return Scaling((HorizontalAutoscaler("hpa", tuple(whole), tuple(single), draw(st.integers(0, 3)), 5),))
