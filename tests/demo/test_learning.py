"""Learned sizes lie between use and what was asked for, keep within the declared risk, and say where they are from."""

from dataclasses import replace

import pytest

from demo.learning import learned_profiles
from demo.main import load_workloads
from demo.profiles import probe_pod
from demo.risk import risk_by_class
from demo.workload import Workload
from stowplan.model.profile import Confidence, WorkloadProfile
from stowplan.model.profile_codec import parse_profile, profile_manifest
from tests.support.demo import workload

WORKLOADS = load_workloads(None)


@pytest.fixture(scope="module")
def profiles() -> list[WorkloadProfile]:
    return learned_profiles(WORKLOADS, "demo", 1_790_000_000)


def targets(profiles: list[WorkloadProfile]) -> dict[str, int]:
    return {profile.name: profile.recommendations[0].containers[0].target["cpu"] for profile in profiles}


def test_every_workload_has_a_profile_that_the_api_takes(profiles: list[WorkloadProfile]) -> None:
    assert {profile.name for profile in profiles} == {of.name for of in WORKLOADS}
    assert all(parse_profile(profile_manifest(profile)) == profile for profile in profiles)


def test_numbers_say_where_they_are_from(profiles: list[WorkloadProfile]) -> None:
    container = profiles[0].recommendations[0].containers[0]

    assert container.days == 14
    assert container.samples > 13 * 288
    assert container.confidence is Confidence.HIGH


def test_memory_stays_as_written(profiles: list[WorkloadProfile]) -> None:
    written = {of.name: of.memory_bytes for of in WORKLOADS}

    assert {p.name: p.recommendations[0].containers[0].target["memory"] for p in profiles} == written


def test_learned_sizes_ask_for_less_and_keep_the_declared_risk(profiles: list[WorkloadProfile]) -> None:
    own = risk_by_class(WORKLOADS, {of.name: of.cpu_millicores for of in WORKLOADS})
    learned = risk_by_class(WORKLOADS, targets(profiles))

    assert learned.keys() == own.keys() == {"batch", "critical", "elastic", "standard"}
    for name, risk in learned.items():
        assert risk.used_cores == own[name].used_cores
        assert risk.overrun_share <= risk.declared_overrun
        assert risk.unmet <= risk.declared_unmet
        assert risk.within >= 0.9
    # The recorded machines used less than a tenth of what they had. Critical workloads may ask for more than users did: staffing.
    assert (
        sum(risk.requested_cores for risk in learned.values()) < sum(risk.requested_cores for risk in own.values()) / 2
    )


def test_a_request_of_nothing_leaves_all_demand_unmet() -> None:
    risk = risk_by_class([workload("w")], {"w": 0})["standard"]

    # Every sample with any use is above zero, and all of the use is.
    assert risk.unmet == 1.0
    assert risk.within == 0.0


def test_a_request_that_nothing_exceeds_has_no_risk() -> None:
    of = workload("w", cores=1)

    risk = risk_by_class([of], {"w": 10_000})["standard"]

    assert (risk.overrun_share, risk.unmet, risk.within) == (0.0, 0.0, 1.0)


def test_workloads_without_pods_are_not_judged() -> None:
    assert risk_by_class([workload("w")], {}) == {}


@pytest.mark.parametrize(("kind", "owner"), [("Deployment", "ReplicaSet"), ("Job", "Job")])
def test_the_probe_belongs_to_the_workload(profiles: list[WorkloadProfile], kind: str, owner: str) -> None:
    profile = replace(profiles[0], kind=kind, name="w")

    (reference,) = probe_pod(profile)["metadata"]["ownerReferences"]

    assert (reference["kind"], reference["controller"]) == (owner, True)


def test_a_size_is_the_same_whatever_else_is_learned() -> None:
    several: list[Workload] = [workload("a", cores=2), workload("b", cores=8)]

    alone = targets(learned_profiles(several[:1], "demo", 0))

    assert alone["a"] == targets(learned_profiles(several, "demo", 0))["a"]
