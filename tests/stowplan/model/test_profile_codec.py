"""A profile comes back from its object as it was, fits the schema, and errors say which field is wrong."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stowplan.model.profile import (
    AchievedRisk,
    ClassRecommendation,
    Confidence,
    ContainerRecommendation,
    Regression,
    Risk,
    Signal,
    Source,
    WorkloadMode,
    WorkloadProfile,
)
from stowplan.model.profile_codec import ProfileError, object_name, parse_profile, profile_manifest
from stowplan.model.workload_class import Cost
from tests.support.manifest_files import of_kind

AMOUNTS = {"cpu": 250, "memory": 512 * 2**20}
PROFILE = WorkloadProfile(
    namespace="shop",
    kind="Deployment",
    name="checkout",
    api_version="apps/v1",
    updated_s=1_790_000_000,
    history_hours=14 * 24,
    replicas=3,
    observed_class="standard",
    observed_cost=Cost.SAVE,
    observed_mode=WorkloadMode.APPLY,
    recommendations=(
        ClassRecommendation(
            "standard",
            Cost.SAVE,
            (
                ContainerRecommendation(
                    "app",
                    AMOUNTS,
                    AMOUNTS,
                    {"cpu": 1000},
                    Confidence.HIGH,
                    Source.STAFFING,
                    "cpu 231m: least with ...",
                    20_160,
                    14,
                    ("cpu step",),
                    -12,
                ),
            ),
        ),
    ),
    risk=AchievedRisk(Risk(60_000, 80_000, 40_000), Risk(1, 2, 0), 9),
    regression=Regression(Signal.OOM_RATE, 1_789_990_000, 1_791_000_000, "OOM kills rose from 0 to 3 a day", 2),
    checkpoint={"app": "1:abc"},
)


def test_a_profile_comes_back_as_it_was() -> None:
    assert parse_profile(profile_manifest(PROFILE)) == PROFILE


def test_a_profile_fits_the_schema() -> None:
    (version,) = of_kind("CustomResourceDefinition", "crds")["workloadprofiles.stowplan.dev"]["spec"]["versions"]

    Draft202012Validator(version["schema"]["openAPIV3Schema"]).validate(profile_manifest(PROFILE))


def test_a_profile_that_has_no_status_yet_knows_nothing() -> None:
    obj = {"metadata": {"namespace": "shop"}, "spec": {"targetRef": {"kind": "Deployment", "name": "checkout"}}}

    assert parse_profile(obj) == WorkloadProfile("shop", "Deployment", "checkout")


def test_the_recommendation_for_a_class_is_found_by_name() -> None:
    assert PROFILE.under("standard") is PROFILE.recommendations[0]
    assert PROFILE.under("batch") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("history", "two weeks"),
        ("replicas", -1),
        ("updatedAt", "yesterday"),
        ("recommendations", [{"class": "standard", "containers": [{"name": "app", "target": {"cpu": "fast"}}]}]),
        ("recommendations", ["standard"]),
    ],
)
def test_an_error_names_the_field(field: str, value: object) -> None:
    obj = profile_manifest(PROFILE)
    obj["status"][field] = value

    with pytest.raises(ProfileError, match=f"status.{field}"):
        parse_profile(obj)


def test_names_of_objects() -> None:
    assert object_name("Deployment", "checkout") == "deployment-checkout"
    # What is no object name is made one, and told apart from its like by a hash.
    assert object_name("Pod", "a_b") != object_name("Pod", "a-b") == "pod-a-b"


@given(st.text(string.printable, min_size=1, max_size=300), st.text(string.printable, min_size=1, max_size=300))
def test_two_workloads_never_share_an_object_and_every_name_is_a_legal_one(one: str, other: str) -> None:
    names = object_name("Deployment", one), object_name("Deployment", other)

    assert (names[0] == names[1]) is (one == other)
    assert all(len(n) <= 253 and set(n) <= set(string.ascii_lowercase + string.digits + ".-") for n in names)


def test_without_an_observed_mode_there_is_no_field() -> None:
    assert "mode" not in profile_manifest(replace(PROFILE, observed_mode=None))["status"]
