"""A size that is too small is taken back: real kills for memory, hours by a clock of the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.kind.cluster import KindCluster
from stowplan.model.keys import DECISION, WHY
from tests.support.kind import (
    NAMESPACE,
    eventually,
    memory_limit_of,
    memory_of,
    pods_of,
    profile_of,
    program,
    recommended,
)
from tests.support.kind_clock import Hours, recommender_by_the_hour

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500)]

MIB = 2**20
HOLDS = ("import time", "held = bytearray(b'1') * (300 << 20)", "time.sleep(1e6)")
REPLICAS = 3
QUIET_HOURS = 40
"""Two hours in which three of three are killed, after n quiet ones: (2 / (2 + n)) ** 6 is below the level of a test, 4e-7, from 22 on."""
MOST_HOURS = 6
"""Of kills. Two are enough unless the runtime tells a kill as `Error`, which it does to a few in a hundred on cgroup v1."""


@pytest.fixture
def hours(cluster: KindCluster, tmp_path: Path) -> Iterator[Hours]:
    with recommender_by_the_hour(cluster, tmp_path, QUIET_HOURS + MOST_HOURS) as clock:
        yield clock


def _apply(cluster: KindCluster, class_name: str) -> None:
    """All pods at once under a class: beside old ones there is no room for new ones."""
    wanted = json.loads(program("regress", HOLDS, class_name, REPLICAS))
    wanted["spec"]["strategy"] = {"type": "Recreate"}
    cluster.kubectl("apply", "-f", "-", text=json.dumps(wanted))


def _kills(cluster: KindCluster, class_name: str) -> dict[str, int]:
    """How often each pod of a class was restarted after it was killed for memory last; the kernel counts, not we."""
    found = {}
    for pod in pods_of(cluster, "regress"):
        for status in pod["status"].get("containerStatuses", ()):
            ended = status["lastState"].get("terminated", {})
            if pod["metadata"]["labels"]["stowplan.dev/class"] == class_name and ended.get("exitCode") == 137:
                found[pod["metadata"]["name"]] = status["restartCount"]
    return found


def _killed_again(cluster: KindCluster, class_name: str, before: dict[str, int]) -> dict[str, int]:
    """Wait until each pod was killed once more."""
    now: dict[str, int] = {}

    def all_were() -> bool:
        now.update(_kills(cluster, class_name))
        return len(now) == REPLICAS and all(count > before.get(name, 0) for name, count in now.items())

    eventually(all_were, "every pod was killed again", 400)
    return now


def _stepped_back(cluster: KindCluster, hours: Hours, class_name: str) -> dict[str, Any]:
    """Hours of kills, until the profile tells of a step back."""
    kills: dict[str, int] = {}
    for _ in range(MOST_HOURS):
        kills = _killed_again(cluster, class_name, kills)
        hours.pass_by(1)
        halt = profile_of(cluster, "regress").get("regression")
        if halt:
            return dict(halt)
    raise AssertionError(f"no step back after {MOST_HOURS} hours with kills {kills}: {profile_of(cluster, 'regress')}")


def test_kills_under_a_smaller_size_take_it_back_with_the_reason(
    cluster: KindCluster, hours: Hours, modest: str, roomy: str
) -> None:
    _apply(cluster, roomy)
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/regress", "--timeout=120s")
    hours.pass_by(QUIET_HOURS)
    assert "regression" not in profile_of(cluster, "regress")
    good, _ = memory_of(pods_of(cluster, "regress")[0])
    assert good == 768 * MIB

    _apply(cluster, modest)
    halt = _stepped_back(cluster, hours, modest)

    assert halt["signal"] == "OOMRate"
    assert halt["message"].startswith("OOM kills rose from 0 to ")
    asked = recommended(cluster, "regress", modest)
    assert memory_limit_of(asked) == good * 125 // 100
    assert "step back" in asked["clamps"]

    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "-l", "app=regress", "--wait=true")
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/regress", "--timeout=120s")
    for pod in pods_of(cluster, "regress"):
        assert memory_of(pod)[0] == good
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        decision = json.loads(pod["metadata"]["annotations"][DECISION])
        assert decision["reason"] == "RegressionHalt"
        assert decision["inputs"]["halt"] in halt["message"] or decision["inputs"]["halt"].endswith("...")
        assert "stepped back: OOM kills rose from 0" in pod["metadata"]["annotations"][WHY]
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment", "regress")
