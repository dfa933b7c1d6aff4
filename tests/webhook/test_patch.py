"""The patch machinery alone: diff, copy, and the check that stands between a fault of ours and a rejected pod."""

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pods import container, pod
from webhook.json_patch import copy_json, diff
from webhook.patch import check_pod, make_patch
from webhook.quota import Quota

_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "m~n", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.sampled_from(["x", "y/z", "~"]), _VALUES, max_size=3)


@given(_OBJECTS, _OBJECTS)
def test_the_diff_of_any_two_objects_applies(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert jsonpatch.apply_patch(before, list(diff(before, after))) == after


@given(_OBJECTS)
def test_equal_objects_have_no_diff_and_a_copy_shares_nothing(value: dict[str, Any]) -> None:
    copied = copy_json(value)

    assert list(diff(value, copied)) == []
    assert copied == value
    assert copied is not value


def _changed(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    received = pod(container(requests={"cpu": "1"}, limits={"cpu": "1", "memory": "1Gi"}))
    decided = copy.deepcopy(received)
    decided["spec"].update(changes)
    return received, decided


def test_what_stowplan_owns_may_change() -> None:
    received, decided = _changed(priorityClassName="x", priority=1, schedulerName="y", topologySpreadConstraints=[])
    decided["spec"]["containers"][0]["resources"]["requests"]["memory"] = "1Gi"
    decided["metadata"]["annotations"] = {"status.stowplan.dev/why": "so"}

    assert check_pod(received, decided) == []
    assert len(make_patch(received, decided)) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"hostNetwork": True},
        {"containers": [container("other")]},
        {"containers": [{**container(), "image": "evil:1"}]},
        {"containers": [container(requests={"nvidia.com/gpu": "1"})]},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}},
        {"tolerations": []},
    ],
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    received = pod(container())
    decided = copy.deepcopy(received)
    decided["spec"].update(change)

    assert "something outside sizes, scheduling and status was changed" in check_pod(received, decided)


def test_a_users_annotation_is_not_ours_to_change() -> None:
    received = pod(annotations={"note": "a"})
    decided = pod(annotations={"note": "b"})

    assert check_pod(received, decided)


def test_unsound_sizes_are_refused() -> None:
    received, decided = _changed()
    decided["spec"]["containers"][0]["resources"]["requests"]["memory"] = "2Gi"
    assert "app: memory request above limit" in check_pod(received, decided)

    same = {"cpu": "1", "memory": "1Gi"}
    guaranteed = pod(container(requests=same, limits=same))
    lowered = pod(container(requests=same, limits={"memory": "1Gi"}))
    assert check_pod(guaranteed, lowered) == ["QoS class lowered"]

    quota = (Quota("q", {"requests.cpu": 1000}),)
    grown = pod(container(requests={"cpu": "2"}, limits={"cpu": "2", "memory": "1Gi"}))
    assert check_pod(received, grown, (), quota) == ["q: requests.cpu exceeded"]
