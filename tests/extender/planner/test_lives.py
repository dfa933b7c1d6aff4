"""What the planner process learns of pods from the events of the cache."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from extender.cluster.cache import Cache
from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.occupancy import REFRESH_S
from extender.lifetimes.survival import WIDTHS
from extender.planner.lives import Lives
from stowplan.kube.projection import Deadline, PodOwner
from stowplan.model.pod import Pod
from tests.support.extender import Clock, pod, signature

JOB = signature("job", owner_key="Job/job")


def bound(uid: str, node: str = "n1", created: int = 1000, owner: str = "Job/job") -> Pod:
    return pod(uid, dataclasses.replace(JOB, owner_key=owner), node, created_s=created)


class Fed:
    """A cache whose pods are learned from, and how far the system clock has jumped since."""

    jumped: float = 0

    def __init__(self, clock: Clock) -> None:
        self.lives = Lives(clock, lambda: clock.now + self.jumped)
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


def wave(fed: Fed, clock: Clock, number: int, pods: int, seconds: float) -> None:
    """Pods of one new owner wait together, are bound, and end together."""
    uids = [f"{number}-{pods}-{n}" for n in range(pods)]
    owner = f"Job/batch-of-{pods}.{number}"
    waiting = [bound(uid, "", int(clock.now), owner) for uid in uids]
    for one in waiting:
        fed.lives.heed("upsert_pod", (one,))
    for uid in uids:
        fed.cache.upsert_pod(bound(uid, "n1", int(clock.now), owner))
    clock.now += seconds
    for uid in uids:
        fed.lives.heed("delete_pod", (uid,))
        fed.cache.delete_pod(uid)


def test_of_an_owner_never_seen_the_number_that_waits_together_tells_how_long_they_stay() -> None:
    clock = Clock()
    fed = Fed(clock)
    for number in range(30):
        wave(fed, clock, number, pods=1, seconds=36_000)
    for number in range(5):
        wave(fed, clock, number, pods=30, seconds=600)

    outlook = fed.lives.outlook()
    assert outlook is not None
    new = dataclasses.replace(JOB, owner_key="Job/never-seen")
    single, crowd = (float(outlook.survival(new, together) @ WIDTHS) for together in (1, 30))

    # 30 seen and 20 of prior, at least half of the way to what was seen: ten hours, and ten minutes
    assert crowd < 3600
    assert single > 18_000
    # an owner that was seen is told by itself, however many come
    seen = dataclasses.replace(JOB, owner_key="Job/batch-of-30.4")
    assert float(outlook.survival(seen, 1) @ WIDTHS) < 3600


def test_an_outlook_is_kept_for_five_seconds_and_knows_of_pods_since() -> None:
    clock = Clock()
    fed = Fed(clock)
    assert fed.lives.outlook() is None
    learned(fed, clock)

    first = fed.lives.outlook()
    fed.cache.upsert_pod(bound("later", "n3", int(clock.now)))
    clock.now += 4
    assert fed.lives.outlook() is first
    clock.now += 1
    second = fed.lives.outlook()

    assert first is not None
    assert second is not None
    assert (first.gone(["n3"]) == 1).all()
    assert (second.gone(["n3", "n2", "unknown"]) < 1).any(axis=1).tolist() == [True, True, False]
    assert set(second.siblings(JOB, {"n2": 5, "n3": 7})) == {5, 7}


def test_a_pod_that_a_list_does_not_show_waits_no_more() -> None:
    clock = Clock()
    fed = Fed(clock)
    web = bound("a", "", owner="Job/web")
    fed.lives.heed("replace_pods", ([web, bound("b", "", owner="Job/web")],))
    fed.lives.heed("replace_pods", ([],))
    fed.lives.heed("upsert_pod", (web,))
    fed.cache.upsert_pod(bound("a", owner="Job/web"))
    clock.now += 600
    fed.cache.delete_pod("a")

    outlook = fed.lives.outlook()

    # one, not three, was the batch of the only pod that has ended
    assert outlook is not None
    assert outlook.expectations.knows(BatchSize.of(1).into(path_of(web.signature, "")))
    assert not outlook.expectations.knows(BatchSize.of(3).into(path_of(web.signature, "")))


HOUR = 3600.0


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_values_are_published_once_a_minute_whatever_the_system_clock_does(jump: float) -> None:
    clock = Clock()
    fed = Fed(clock)
    learned(fed, clock)

    fed.jumped = jump
    assert fed.lives.due_in() == REFRESH_S
    clock.now += REFRESH_S
    assert fed.lives.due_in() == 0
    assert fed.lives.values(8) is not None
    fed.jumped = 0  # and back
    clock.now += REFRESH_S
    assert fed.lives.values(9) is not None


def test_even_where_the_steady_clock_goes_back_values_are_published() -> None:
    clock = Clock(10_000)
    fed = Fed(clock)
    learned(fed, clock)

    clock.now -= HOUR

    assert fed.lives.due_in() == 0
    assert fed.lives.values(8) is not None
    assert fed.lives.due_in() == REFRESH_S


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_jump_of_the_system_clock_teaches_no_false_life(jump: float) -> None:
    """Thirty pods live a minute each, twice; the second time after the jump. An hour is nobody's age."""
    clock = Clock()
    steady, jumping = Fed(clock), Fed(clock)

    for fed in (steady, jumping):
        clock.now = 1000.0
        learned(fed, clock, seconds=60)
        fed.jumped = jump if fed is jumping else 0
        for number in range(30, 60):
            fed.cache.upsert_pod(bound(f"run-{number}", created=int(clock.now)))
            clock.now += 60
            fed.cache.delete_pod(f"run-{number}")
    expected, found = (fed.lives.values(8) for fed in (steady, jumping))

    assert expected is not None
    assert found is not None
    assert (found.expectations.rates == expected.expectations.rates).all()
    assert found.expectations.curve(path_of(JOB, "")) @ WIDTHS < 300


def test_a_pod_older_than_the_process_has_the_age_that_its_creation_tells() -> None:
    clock = Clock(1_000_000)
    fed = Fed(clock)
    fed.cache.replace_pods([bound(f"old-{n}", created=1_000_000 - 7200) for n in range(30)])
    for n in range(30):
        clock.now += 1
        fed.cache.delete_pod(f"old-{n}")

    values = fed.lives.values(1)

    # of young ones nobody was seen, which leaves the prior of one in four hours; at two hours (bin 12 of `EDGES` begins there) all ended:
    # the hazard of that bin of an hour is the largest there is, 0.99, so its rate -ln(0.01) an hour
    assert values is not None
    rates = values.expectations.rates[-1]
    assert rates[1] == pytest.approx(1 / 14_400)
    assert rates[12] == pytest.approx(-np.log(0.01) / HOUR)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_deadline_is_counted_from_the_creation_and_not_from_the_system_clock(jump: float) -> None:
    clock = Clock(100_000)
    fed = Fed(clock)
    learned(fed, clock, seconds=43_200)
    fed.jumped = jump
    clock.now += REFRESH_S
    fed.cache.upsert_pod(dataclasses.replace(bound("last", "n9", int(clock.now)), ends_s=int(clock.now) + 600))

    values = fed.lives.values(9)

    # ten minutes: not yet over after a jump forward, and no more than that after one back
    assert values is not None
    assert values.curves.seconds_left(np.array([values.rows["n9"]]))[0] == pytest.approx(600, rel=0.05)


def until(seconds: float, clock: Clock, job: str = "last") -> PodOwner:
    """A Job that began ten minutes ago and ends its pods so much later than now."""
    return PodOwner("shop", "Job", job, 1, Deadline(int(clock.now) - 600, int(clock.now + seconds)))


def seconds_left(fed: Fed, clock: Clock, node: str) -> float:
    clock.now += REFRESH_S
    values = fed.lives.values(9)
    assert values is not None
    return float(values.curves.seconds_left(np.array([values.rows[node]]))[0])


@pytest.mark.parametrize("jump", [0, -HOUR, HOUR])
@pytest.mark.parametrize("known_first", [True, False])
def test_a_deadline_of_a_job_bounds_how_long_the_nodes_of_its_pods_are_in_use(jump: float, known_first: bool) -> None:
    clock = Clock(100_000)
    fed = Fed(clock)
    learned(fed, clock, seconds=43_200)
    job, last = until(400, clock), bound("last", "n9", int(clock.now), "Job/last")
    fed.jumped = jump
    if known_first:
        fed.lives.heed("upsert_owner", (job,))
    fed.cache.upsert_pod(last)
    if not known_first:
        fed.lives.heed("replace_owners", ([job], "Job"))

    # 400 seconds, less the minute until the next values
    assert seconds_left(fed, clock, "n9") == pytest.approx(340, rel=0.05)


@pytest.mark.parametrize(
    "event",
    [
        ("delete_owner", ("shop", "Job/last")),
        ("replace_owners", ([], "Job")),
        ("upsert_owner", (PodOwner("shop", "Job", "last", 1),)),
    ],
)
def test_a_deadline_that_is_taken_back_bounds_nothing(event: tuple[str, tuple[object, ...]]) -> None:
    clock = Clock(100_000)
    fed = Fed(clock)
    learned(fed, clock, seconds=43_200)
    fed.lives.heed("replace_owners", ([until(300, clock)], "Job"))
    fed.lives.heed("replace_owners", ([], "ReplicaSet"))  # another kind
    fed.cache.upsert_pod(bound("last", "n9", int(clock.now), "Job/last"))
    assert seconds_left(fed, clock, "n9") < 300

    fed.lives.heed(*event)

    assert seconds_left(fed, clock, "n9") > HOUR


def test_a_deadline_counts_anew_from_when_the_kubelet_has_started_the_pod() -> None:
    clock = Clock(100_000)
    fed = Fed(clock)
    learned(fed, clock, seconds=43_200)
    waited = dataclasses.replace(bound("last", "n9", int(clock.now) - 900), ends_s=int(clock.now) - 900 + 1000)
    fed.cache.upsert_pod(waited)
    fed.cache.upsert_pod(dataclasses.replace(waited, ends_s=int(clock.now) + 1000))

    # a thousand seconds from now, less the minute until the next values; not from the creation a quarter of an hour ago
    assert seconds_left(fed, clock, "n9") == pytest.approx(940, rel=0.05)
