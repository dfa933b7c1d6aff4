"""What the webhook keeps of a profile: everything a decision reads, and nothing of the checkpoint."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given

from stowplan.model.profile import WorkloadProfile
from stowplan.model.profile_codec import parse_profile, profile_manifest
from stowplan.model.quantity import QuantityError
from tests.support.learned import NOW_S, profile, recommended, regression, risk, workload_profiles
from tests.support.pods import MIB, NAMESPACE
from webhook.profiles import latest, learned_from, project_profile


def test_a_profile_is_projected_with_its_target() -> None:
    made = profile(recommended(cpu=None), risk=risk(), regression=regression(), checkpoint={"app": "x" * 1000})

    found = project_profile(msgspec.json.encode(profile_manifest(made)))

    assert (found.namespace, found.name) == (NAMESPACE, "deployment-web")
    assert found.target == (NAMESPACE, "Deployment", "web")
    under = found.value.under("standard")
    assert under is not None
    app = under.container("app")
    assert app is not None
    assert app.target == {"memory": 320 * MIB}
    assert (app.samples, app.days, app.clamps, app.saving_micro_usd_per_hour) == (20_160, 14, ("cpu step",), 20_000)
    assert found.value.updated_s == NOW_S
    assert found.value.risk is not None
    assert found.value.risk.achieved == risk().achieved
    assert found.value.halt is not None
    assert found.value.halt.until_s == regression().until_s
    assert found.value.under("batch") is None
    assert under.container("other") is None
    assert b"x" * 10 not in msgspec.json.encode(found.value)


@given(workload_profiles("Deployment", "web"))
def test_projection_reads_what_the_codec_wrote(made: WorkloadProfile) -> None:
    manifest = profile_manifest(made)

    found = project_profile(msgspec.json.encode(manifest)).value

    assert found == learned_from(parse_profile(manifest)).value
    assert [c.name for c in found.classes] == [r.workload_class for r in made.recommendations]
    for kept, written in zip(found.classes, made.recommendations, strict=True):
        assert [(c.name, c.target) for c in kept.containers] == [(c.name, c.target) for c in written.containers]


def test_an_object_that_the_recommender_has_not_filled_yet_is_empty() -> None:
    bare = {"metadata": {"name": "p", "namespace": "s"}, "spec": {"targetRef": {"kind": "Job", "name": "j"}}}

    found = project_profile(msgspec.json.encode(bare))

    assert (found.target, found.value.classes, found.value.updated_s) == (("s", "Job", "j"), (), 0)


@pytest.mark.parametrize("raw", [b"{}", b"3", b'{"metadata": {}, "spec": {"targetRef": {"kind": "Job"}}}'])
def test_what_is_no_profile_is_left_out_by_the_reflector(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        project_profile(raw)


def test_a_bad_amount_is_left_out_by_the_reflector() -> None:
    manifest = profile_manifest(profile())
    manifest["status"]["recommendations"][0]["containers"][0]["target"]["cpu"] = "fast"

    with pytest.raises(QuantityError):
        project_profile(msgspec.json.encode(manifest))


def test_of_two_objects_for_one_workload_the_one_renewed_last_counts() -> None:
    old = learned_from(profile()).value
    new = learned_from(replace(profile(), updated_s=NOW_S + 1)).value

    assert latest((new, old)) is new
