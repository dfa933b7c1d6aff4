"""The record and the sentence."""

import json
from typing import Any

from stowplan.model.keys import CLASS_REVISION, DECISION, WHY
from tests.support.pods import GIB, admit, container, pod, with_limit_range
from webhook.limit_range import LimitItem


def _annotations(received: dict[str, Any], **state: Any) -> dict[str, str]:
    verdict = admit(received, **state)
    assert verdict.pod is not None
    found: dict[str, str] = verdict.pod["metadata"]["annotations"]
    return found


def test_the_record_holds_inputs_sizes_effects_and_what_was_not_chosen() -> None:
    state = with_limit_range(LimitItem("Container", maximum={"memory": GIB}), scheduler_alive=False)

    record = json.loads(_annotations(pod(container(requests={"cpu": "2"})), state=state)[DECISION])

    assert record.pop("id").startswith("d-")
    assert record == {
        "class": "standard.r1",
        "mode": "Apply",
        "reason": "ColdStart",
        "limitedBy": ["LimitRangeClamped"],
        "inputs": {"size": "m", "shape": "general"},
        "main": "app",
        "memory": {"from": None, "ideal": "2Gi", "set": "1Gi"},
        "limits": {"memory": {"from": None, "set": "1Gi"}},
        "effects": {
            "priority": {
                "from": {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"},
                "set": "stowplan-standard",
            },
            "capacity": True,
        },
        "notChosen": [{"option": "scheduler", "why": "SchedulerNotAlive"}],
    }


def test_the_id_is_the_decisions_not_the_pods() -> None:
    def decision_id(received: dict[str, Any]) -> str:
        found: str = json.loads(_annotations(received)[DECISION])["id"]
        return found

    first = pod(owner=("StatefulSet", "db"))
    second = pod(owner=("StatefulSet", "db"), annotations={"checksum": "1"})
    other_size = pod(owner=("StatefulSet", "db"), labels={"stowplan.dev/size": "l"})
    other_owner = pod(owner=("StatefulSet", "db2"))

    assert decision_id(first) == decision_id(second)
    assert len({decision_id(p) for p in (first, other_size, other_owner)}) == 3


def test_the_sentence_is_readable() -> None:
    found = _annotations(pod(labels={"app": "web"}))

    assert found[WHY] == (
        "standard: app gets 500m CPU and 2Gi memory (cold start, size m/general); priority stowplan-standard; "
        "spread over zone; prefers on-demand over spot; placed by stowplan-scheduler."
    )
    assert found[CLASS_REVISION] == "standard.r1"
