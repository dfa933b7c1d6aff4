"""How many pods of an owner wait together."""

from extender.planner.waves import Waves
from tests.support.extender import pod, signature

WEB = signature(owner_key="ReplicaSet/web")
BARE = signature(owner_key="")


def test_a_pod_knows_of_all_that_came_with_it_even_of_those_bound_before_it() -> None:
    waves = Waves()
    for uid in ("a", "b", "c"):
        waves.waits(pod(uid, WEB), 10.0)
        waves.waits(pod(uid, WEB), 11.0)  # the same pod again, changed

    assert [waves.bound(uid) for uid in ("a", "b", "c")] == [3, 3, 3]
    waves.waits(pod("d", WEB), 12.0)  # nobody waited any more
    assert waves.bound("d") == 1


def test_a_pod_that_is_stuck_makes_no_batch_of_those_that_come_later() -> None:
    waves = Waves()
    waves.waits(pod("stuck", WEB), 0.0)
    waves.waits(pod("later", WEB), 61.0)

    assert waves.bound("later") == 1
    assert waves.pods() == {"stuck"}


def test_pods_without_an_owner_come_alone_and_one_never_seen_waiting_says_nothing() -> None:
    waves = Waves()
    waves.waits(pod("a", BARE), 0.0)
    waves.waits(pod("b", BARE), 0.0)
    waves.gone("b")

    assert waves.bound("a") == 1
    assert waves.bound("b") is None
    assert not waves.pods()
