"""Waiting after failures."""

from recommender.sources.retry import Backoff


def test_waits_grow_to_five_minutes_and_end_with_a_success() -> None:
    now = 0.0
    backoff = Backoff(lambda: now)
    assert not backoff.waiting
    waits = []
    for _ in range(9):
        backoff.failed()
        waits.append(backoff.remaining_s)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    backoff.succeeded()
    assert not backoff.waiting
    assert backoff.remaining_s == 0


def test_a_server_cannot_ask_for_for_ever() -> None:
    backoff = Backoff(lambda: 0.0)
    backoff.failed(1e9)
    assert backoff.remaining_s == 300
