"""What the planner process learns of pods from the events of the cache."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from extender.cache import Cache
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.occupancy import REFRESH_S
from extender.lifetimes.survival import WIDTHS
from extender.planner.lives import Lives
from stowplan.model.pod import Pod
from tests.support.extender import Clock, pod, signature

JOB = signature("job", owner_key="Job/job")


def bound(uid: str, node: str = "n1", created: int = 1000, owner: str = "Job/job") -> Pod:
    return pod(uid, dataclasses.replace(JOB, owner_key=owner), node, created_s=created)


class Fed:
    """A cache whose pods are learned from."""

    def __init__(self, clock: Clock) -> None:
        self.lives = Lives(clock)
        self.cache = Cache(observer=self.lives)


def learned(fed: Fed, clock: Clock, runs: int = 30, seconds: float = 600) -> NodeValues:
    """After some runs of a job on node n1, and with one more that has just begun on node n2."""
    for number in range(runs):
        fed.cache.upsert_pod(bound(f"run-{number}", created=int(clock.now)))
        clock.now += seconds
        fed.cache.delete_pod(f"run-{number}")
    fed.cache.upsert_pod(bound("now", "n2", int(clock.now)))
    values = fed.lives.values(7)
    assert values is not None
    return values


def test_nothing_is_published_before_a_pod_has_ended() -> None:
    clock = Clock()
    fed = Fed(clock)
    fed.cache.upsert_pod(bound("u1"))

    assert fed.lives.due_in() is None
    assert fed.lives.values(1) is None


def test_a_job_is_expected_to_run_as_long_as_before_and_its_node_to_be_in_use_meanwhile() -> None:
    clock = Clock()
    values = learned(Fed(clock), clock)

    expected = float(values.expectations.curve(path_of(JOB, "")) @ WIDTHS)

    assert expected == pytest.approx(600, rel=0.5)
    assert values.generation == 7
    assert values.rows.keys() == {"n2"}  # n1 is empty
    assert values.curves.seconds_left(np.array([values.rows["n2"]]))[0] == pytest.approx(expected, rel=0.05)


def test_values_are_published_once_a_minute() -> None:
    clock = Clock()
    fed = Fed(clock)
    learned(fed, clock)

    assert fed.lives.due_in() == REFRESH_S
    assert fed.lives.values(8) is None
    clock.now += REFRESH_S
    assert fed.lives.due_in() == 0
    assert fed.lives.values(9) is not None


def test_a_finished_pod_has_ended_and_one_that_never_ran_teaches_nothing() -> None:
    clock = Clock()
    fed = Fed(clock)
    fed.cache.upsert_pod(bound("never", node=""))
    fed.cache.delete_pod("never")
    assert fed.lives.due_in() is None

    fed.cache.upsert_pod(bound("u1"))
    clock.now += 60
    fed.cache.upsert_pod(dataclasses.replace(bound("u1"), finished=True))
    assert fed.lives.due_in() == 0
    fed.cache.delete_pod("u1")  # of a pod that has ended already


def test_pods_of_daemon_sets_keep_no_node_in_use() -> None:
    clock = Clock()
    fed = Fed(clock)
    fed.cache.upsert_pod(bound("agent", "n3", owner="DaemonSet/agent"))

    assert learned(fed, clock).rows.keys() == {"n2"}


def test_a_relist_ends_the_pods_that_it_does_not_show() -> None:
    clock = Clock()
    fed = Fed(clock)
    fed.cache.replace_pods([bound("a", "n1"), bound("b", "n2")])
    clock.now += 300
    fed.cache.replace_pods([bound("b", "n2"), bound("c", "n3")])

    values = fed.lives.values(1)

    assert values is not None
    assert values.rows.keys() == {"n2", "n3"}


def test_rows_of_empty_nodes_are_used_again() -> None:
    clock = Clock()
    fed = Fed(clock)
    for number in range(50):
        fed.cache.upsert_pod(bound(f"u{number}", f"node-{number}", int(clock.now)))
        clock.now += REFRESH_S
        fed.cache.delete_pod(f"u{number}")
        values = fed.lives.values(number)
    assert values is not None
    assert len(values.curves.gone) <= 64  # the first allocation


def test_a_pod_from_the_future_is_new() -> None:
    """Clocks of nodes and API servers differ."""
    clock = Clock(1000)
    fed = Fed(clock)
    fed.cache.upsert_pod(bound("u1", created=1030))
    clock.now += 60
    fed.cache.delete_pod("u1")

    values = fed.lives.values(1)
    assert values is not None


def test_a_deadline_bounds_how_long_a_node_is_in_use() -> None:
    clock = Clock()
    fed = Fed(clock)
    learned(fed, clock, seconds=43_200)
    clock.now += REFRESH_S
    fed.cache.upsert_pod(dataclasses.replace(bound("last", "n9", int(clock.now)), ends_s=int(clock.now) + 300))

    values = fed.lives.values(9)

    assert values is not None
    assert values.curves.seconds_left(np.array([values.rows["n9"]]))[0] <= 300
