"""Writing a decision: a copy of what may change, and nothing of the received pod."""

import copy
from typing import Any

import pytest

from tests.support.pods import container, pod
from webhook.mutation import writable, write_output

_AFFINITY: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}, "podAffinity": {}}


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    if parent.get(key) is None:
        parent[key] = {}
    found: dict[str, Any] = parent[key]
    return found


def _write_everywhere(received: dict[str, Any]) -> dict[str, Any]:
    """Every place that a decision can write to, written to."""
    decided = writable(received)
    decided["spec"]["priority"] = 9
    _object(_object(decided["spec"], "affinity"), "nodeAffinity")["new"] = []
    for list_name in ("containers", "initContainers"):
        for one in decided["spec"].get(list_name) or ():
            for kind in ("requests", "limits"):
                _object(_object(one, "resources"), kind)["cpu"] = "9"
    write_output(decided, {"status.stowplan.dev/why": "so"})
    return decided


@pytest.mark.parametrize(
    "received",
    [
        pod(),
        pod(container(requests={"cpu": "1"}, limits={"cpu": "2"}), container("b"), init=[container("i", limits={})]),
        pod(labels={"a": "b"}, annotations={"c": "d"}, affinity=_AFFINITY),
        {"metadata": None, "spec": {"containers": [{"name": "a", "resources": None}], "initContainers": None}},
        {"spec": {"containers": [{"name": "a", "resources": {"requests": None}}], "affinity": None}},
    ],
)
def test_writing_into_the_copy_leaves_the_received_pod_as_it_is(received: dict[str, Any]) -> None:
    before = copy.deepcopy(received)

    assert writable(received)["spec"] == before["spec"]
    assert _write_everywhere(received) != before
    assert received == before


def test_what_no_decision_writes_is_shared() -> None:
    received = pod({**container(), "env": [{"name": "A", "value": "a"}]}, labels={"a": "b"}, tolerations=[{"key": "k"}])

    decided = writable(received)

    assert decided["spec"]["containers"][0]["env"] is received["spec"]["containers"][0]["env"]
    assert decided["spec"]["tolerations"] is received["spec"]["tolerations"]
    assert decided["metadata"]["labels"] is received["metadata"]["labels"]
