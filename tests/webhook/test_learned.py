"""Sizes from profiles, and every way in which a profile says too little.

The builder's profile recommends 150m and 320Mi; the cold start of standard is 500m and 2Gi, its memory limit 125 %.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.keys import DECISION
from stowplan.model.profile import Confidence, Source, WorkloadProfile
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.resources import effective_requests
from stowplan.model.workload_class import Explicit
from tests.support.learned import DAY_S, NOW_S, profile, recommended, regression, risk, stored
from tests.support.pods import GIB, MIB, admit, cluster, container, pod, resources
from webhook.state import ClusterState
from webhook.verdict import Verdict

_COLD = {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2560Mi"}}
_LEARNED = {"requests": {"cpu": "150m", "memory": "320Mi"}, "limits": {"memory": "400Mi"}}
_OWN = {"cpu": "3", "memory": "7Gi"}


def known(*profiles: WorkloadProfile, **changes: Any) -> ClusterState:
    return cluster(profiles=stored(*profiles), now_s=NOW_S, **changes)


def web(*containers: dict[str, Any], labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A pod of the Deployment `web`."""
    return pod(
        *containers, labels={"pod-template-hash": "abc", **(labels or {})}, owner=("ReplicaSet", "web-abc"), **more
    )


def record(verdict: Verdict) -> dict[str, Any]:
    assert verdict.pod is not None
    found: dict[str, Any] = json.loads(verdict.pod["metadata"]["annotations"][DECISION])
    return found


def test_a_learned_size_is_set_with_its_provenance() -> None:
    verdict = admit(web(), known(profile(risk=risk())))

    assert (verdict.outcome, verdict.reason) == (Outcome.APPLIED, Reason.USAGE_SIZED)
    assert resources(verdict) == _LEARNED
    found = record(verdict)
    assert found["learned"] == {
        "app": {
            "source": "usage",
            "formula": "cpu 137m: p95 + 15%; memory: peak 290Mi + 10%",
            "samples": 20_160,
            "days": 14,
            "confidence": "high",
            "clamps": ["cpu step"],
            "cost": "balanced",
            "savingUSDPerMonth": "14.60",
        }
    }
    assert found["risk"] == {
        "declared": {"overrunPPM": 60_000, "unmetPPM": 60_000, "breachPPM": 40_000},
        "achieved": {"overrunPPM": 12_000, "unmetPPM": 3_000, "breachPPM": 0},
        "days": 10,
    }
    assert verdict.why.startswith(
        "standard: app gets 150m CPU and 320Mi memory (learned from usage of 14 days, high confidence, clamped by cpu step, "
        "overrun 1.2% of 6.0% risked over 10 judged days, cpu 137m: p95 + 15%;"
    )


def test_a_saving_is_told_only_of_a_recommendation_that_is_set_as_it_is() -> None:
    # 20,000 micro-dollars an hour times 730 hours
    told = "saves about $14.60 a month a replica"
    cost = profile(recommended(saving_micro_usd_per_hour=-20_000))

    assert told in admit(web(), known(profile())).why
    assert told not in admit(web(annotations={"stowplan.dev/cpu-min": "200m"}), known(profile())).why
    assert "costs about $14.60 a month a replica" in admit(web(), known(cost)).why


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (Source.USAGE, Reason.USAGE_SIZED),
        (Source.STAFFING, Reason.STAFFING_FLOOR),
        (Source.OOM, Reason.OOM_BUMPED),
        (Source.SIMILAR, Reason.SIMILAR_SIZED),
        (Source.SIMILAR_AND_OWN, Reason.SIMILAR_SIZED),
        (Source.SIZE_TABLE, Reason.COLD_START),
        (Source.SIZE_TABLE_AND_OWN, Reason.COLD_START),
    ],
)
def test_the_reason_names_the_source(source: Source, reason: Reason) -> None:
    low = Confidence.LOW if reason in (Reason.SIMILAR_SIZED, Reason.COLD_START) else Confidence.MEDIUM

    verdict = admit(web(), known(profile(recommended(source=source, confidence=low))))

    # What the recommender made for little history counts, low confidence or not.
    assert verdict.reason is reason
    assert resources(verdict) == _LEARNED


@pytest.mark.parametrize(
    ("made", "reason", "words"),
    [
        (profile(name="other"), Reason.COLD_START, "(cold start, size m/general)"),
        (
            replace(profile(), updated_s=NOW_S - 15 * DAY_S),
            Reason.PROFILE_STALE,
            "(cold start, size m/general, the profile is 15 days old)",
        ),
        (
            profile(workload_class="batch"),
            Reason.CLASS_NOT_LEARNED,
            "(cold start, size m/general, the profile has no class standard yet)",
        ),
        (
            profile(recommended("mesh")),
            Reason.CONTAINER_NOT_LEARNED,
            "(cold start, size m/general, the profile does not know the container)",
        ),
        (
            profile(recommended(cpu=None, memory=None)),
            Reason.CONTAINER_NOT_LEARNED,
            "(cold start, size m/general, the profile does not know the container)",
        ),
        (
            profile(recommended(confidence=Confidence.LOW, days=2)),
            Reason.LOW_CONFIDENCE,
            "(cold start, size m/general, confidence is low after 2 days)",
        ),
    ],
)
def test_a_cold_start_says_why(made: WorkloadProfile, reason: Reason, words: str) -> None:
    verdict = admit(web(), known(made))

    assert verdict.reason is reason
    assert resources(verdict) == _COLD
    assert words in verdict.why
    assert record(verdict)["inputs"] == {"size": "m", "shape": "general"}


def test_a_profile_without_a_time_is_not_judged_by_its_age() -> None:
    assert admit(web(), known(replace(profile(), updated_s=0))).reason is Reason.USAGE_SIZED


def test_low_confidence_still_heeds_memory_that_was_seen_used() -> None:
    verdict = admit(web(), known(profile(recommended(memory=3 * GIB, confidence=Confidence.LOW, source=Source.OOM))))

    assert verdict.reason is Reason.LOW_CONFIDENCE
    assert resources(verdict)["requests"] == {"cpu": "500m", "memory": "3Gi"}
    assert "raised to what was seen" in verdict.why


def test_a_resource_that_is_not_learned_is_cold_started() -> None:
    verdict = admit(web(), known(profile(recommended(memory=None))))

    assert resources(verdict)["requests"] == {"cpu": "150m", "memory": "2Gi"}


def test_the_class_of_the_pod_picks_the_recommendation() -> None:
    two = profile(recommended(cpu=150))
    two = replace(
        two, recommendations=(*two.recommendations, *profile(recommended(cpu=90), workload_class="dev").recommendations)
    )

    assert resources(admit(web(labels={"stowplan.dev/class": "dev"}), known(two)))["requests"]["cpu"] == "90m"


def test_written_numbers_stand_against_learned_ones_unless_the_pod_consents() -> None:
    respected = admit(web(container(requests=_OWN)), known(profile()))
    consented = admit(web(container(requests=_OWN), labels={"stowplan.dev/size": "auto"}), known(profile()))

    assert (respected.reason, resources(respected)) == (Reason.EXPLICIT_RESPECTED, {"requests": _OWN})
    assert (consented.reason, resources(consented)) == (Reason.EXPLICIT_OVERRIDDEN, _LEARNED)


def test_a_guaranteed_pod_stays_guaranteed_with_learned_sizes() -> None:
    received = web(container(requests=_OWN, limits=_OWN), labels={"stowplan.dev/size": "auto"})

    verdict = admit(received, known(profile()))

    same = {"cpu": "150m", "memory": "320Mi"}
    assert resources(verdict) == {"requests": same, "limits": same}


def test_learned_sizes_are_clamped_like_all_others() -> None:
    verdict = admit(web(annotations={"stowplan.dev/cpu-min": "200m"}), known(profile(recommended(memory=MIB))))

    # the class's least memory is 64Mi
    assert resources(verdict)["requests"] == {"cpu": "200m", "memory": "64Mi"}
    assert record(verdict)["limitedBy"] == ["ClampedMin"]


def test_side_containers_and_sidecars_are_sized_by_their_own_entries() -> None:
    made = profile(recommended(), recommended("proxy", 20, 64 * MIB), recommended("mesh", 35, 96 * MIB))
    received = web(container(), container("proxy"), init=[container("mesh", restartPolicy="Always")])

    verdict = admit(received, known(made))

    # the class's least CPU is 25m
    assert resources(verdict, 1)["requests"] == {"cpu": "25m", "memory": "64Mi"}
    assert resources(verdict, 0, "initContainers")["requests"] == {"cpu": "35m", "memory": "96Mi"}
    assert list(record(verdict)["learned"]) == ["app", "proxy", "mesh"]


@pytest.mark.parametrize(
    ("learned", "expected"),
    [
        # 150m of the app and 35m of the sidecar run for the pod's whole life: beside the sidecar before it, an init
        # container has 150m without reserving more than that
        (1_000, "150m"),
        (90, "90m"),
    ],
)
def test_an_init_container_reserves_no_more_cpu_than_the_pod_needs_anyway(learned: int, expected: str) -> None:
    made = profile(recommended(), recommended("mesh", 35, 96 * MIB), recommended("migrate", learned, 900 * MIB))
    received = web(container(), init=[container("mesh", restartPolicy="Always"), container("migrate")])

    verdict = admit(received, known(made))

    # memory is what it needs: too little of it kills
    assert resources(verdict, 1, "initContainers")["requests"] == {"cpu": expected, "memory": "900Mi"}
    assert verdict.pod is not None
    assert effective_requests(verdict.pod["spec"])["cpu"] == 185


def test_an_init_containers_own_numbers_need_consent_and_what_is_unknown_is_left_alone() -> None:
    made = profile(recommended(), recommended("migrate", 90, 900 * MIB))
    init = [container("migrate", requests={"cpu": "50m"}), container("wait")]

    verdict = admit(web(container(), init=init), known(made))
    agreed = admit(web(container(), init=init, labels={"stowplan.dev/size": "auto"}), known(made))

    assert resources(verdict, 0, "initContainers")["requests"] == {"cpu": "50m", "memory": "900Mi"}
    assert resources(agreed, 0, "initContainers")["requests"] == {"cpu": "90m", "memory": "900Mi"}
    assert resources(verdict, 1, "initContainers") == resources(agreed, 1, "initContainers") == {}


def test_low_confidence_sizes_no_init_container() -> None:
    made = profile(recommended(), recommended("migrate", 90, 900 * MIB, confidence=Confidence.LOW))

    assert resources(admit(web(container(), init=[container("migrate")]), known(made)), 0, "initContainers") == {}


def overriding(made: WorkloadProfile) -> ClusterState:
    override = replace(BUILTIN_CLASSES["standard"], explicit=Explicit.OVERRIDE)
    return known(made, classes={**BUILTIN_CLASSES, "standard": override})


def test_a_step_back_leaves_the_users_numbers_even_where_the_class_overrides() -> None:
    verdict = admit(web(container(requests=_OWN)), overriding(replace(profile(), regression=regression())))

    assert (verdict.reason, resources(verdict)) == (Reason.REGRESSION_HALT, {"requests": _OWN})
    assert "not replaced, stepped back: OOM kills rose from 0 to 3 a day" in verdict.why
    assert record(verdict)["memory"] == {"from": "7Gi", "ideal": "320Mi"}
    assert record(verdict)["inputs"]["halt"] == "OOM kills rose from 0 to 3 a day"


def test_a_step_back_sizes_what_is_not_written_with_the_careful_recommendation() -> None:
    verdict = admit(web(container(requests={"cpu": "3"})), overriding(replace(profile(), regression=regression())))

    assert verdict.reason is Reason.REGRESSION_HALT
    assert resources(verdict)["requests"] == {"cpu": "3", "memory": "320Mi"}
    assert "stepped back: OOM kills rose" in verdict.why


def test_a_step_back_ends_at_its_time() -> None:
    ended = replace(profile(), regression=regression(until_s=NOW_S))

    assert admit(web(container(requests=_OWN)), overriding(ended)).reason is Reason.EXPLICIT_OVERRIDDEN


def test_a_record_with_long_formulas_is_shortened_by_its_details_only() -> None:
    many = [f"c{n}" for n in range(4)]
    made = profile(*(recommended(name, formula="f" * 1024) for name in many), risk=risk())

    verdict = admit(web(*(container(name) for name in many)), known(made))

    found = record(verdict)
    assert "formula" not in found["learned"]["c0"]
    assert found["learned"]["c0"]["source"] == "usage"
    assert "shortened" not in found
    assert admit(verdict.pod or {}, known(made)).reason is Reason.ALREADY_DECIDED
