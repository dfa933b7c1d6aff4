"""The check that stands between a fault of ours and a rejected pod."""

import copy
from typing import Any

import pytest

from tests.support.pods import container, pod
from webhook import patch
from webhook.patch import PatchError, check_pod, make_patch
from webhook.quota import Quota


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


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ({"op": "replace", "path": "/spec/absent", "value": 1}, "does not apply: replace '/spec/absent'"),
        ({"op": "add", "path": "/spec/priority", "value": 2}, "does not give the decided pod"),
    ],
)
@pytest.mark.parametrize("sound", [False, True])
def test_a_patch_that_would_do_something_else_is_never_sent(
    monkeypatch: pytest.MonkeyPatch, operation: dict[str, Any], problem: str, sound: bool
) -> None:
    received, decided = _changed(priority=1)
    monkeypatch.setattr(patch, "diff", lambda *_: iter([operation]))

    with pytest.raises(PatchError, match=problem):
        make_patch(received, decided, sound=sound)


def test_what_was_not_found_sound_before_is_checked() -> None:
    received, decided = _changed(hostNetwork=True)

    with pytest.raises(PatchError, match="something outside"):
        make_patch(received, decided)
