"""Reservations under a clock of our own."""

from __future__ import annotations

from extender.deciding.reservations import Reservations
from tests.support.extender import GIB, Clock, signature

WEB = signature("web", cpu=1000, memory=GIB)


def test_room_is_held_until_the_ttl() -> None:
    clock = Clock()
    held = Reservations(clock, ttl=5)
    held.take("u1", WEB, "n1")
    held.take("u2", WEB, "n1")

    assert held.used("n1") == {"cpu": 2000, "memory": 2 * GIB, "pods": 2}
    clock.now += 5
    held.expire()

    assert held.used("n1") == {}
    assert (len(held), held.expired) == (0, 2)


def test_only_what_is_old_enough_expires() -> None:
    clock = Clock()
    held = Reservations(clock, ttl=5)
    held.take("u1", WEB, "n1")
    clock.now += 3
    held.take("u2", WEB, "n1")
    clock.now += 2
    held.expire()

    assert held.held(WEB, "n1") == 1


def test_a_newer_answer_replaces_and_renews() -> None:
    clock = Clock()
    held = Reservations(clock, ttl=5)
    held.take("u1", WEB, "n1")
    clock.now += 4
    held.take("u1", WEB, "n2")
    clock.now += 4
    held.expire()

    assert held.used("n1") == {}
    assert held.used("n2")["pods"] == 1


def test_release_is_for_known_and_unknown_pods() -> None:
    held = Reservations(Clock())
    held.take("u1", WEB, "n1")

    held.release("u1")
    held.release("u1")

    assert len(held) == 0


def test_a_pods_own_reservation_is_not_in_its_way() -> None:
    held = Reservations(Clock())
    held.take("u1", WEB, "n1")
    held.take("u2", signature("db"), "n1")

    assert held.used("n1", besides="u2") == {"cpu": 1000, "memory": GIB, "pods": 1}
    assert held.held(WEB, "n1", besides="u1") == 0
