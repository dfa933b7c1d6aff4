"""Spans of measured time."""

from recommender.remembering.coverage import FRAGMENTS, Coverage


def test_the_next_measurement_extends_the_span() -> None:
    coverage = Coverage()
    assert coverage.claim(100, 160) == [(100, 160)]
    assert coverage.claim(160, 220) == [(160, 220)]
    assert coverage.spans == [(100, 220)]


def test_only_holes_are_handed_out() -> None:
    coverage = Coverage()
    coverage.claim(10, 20)
    coverage.claim(30, 40)
    assert coverage.claim(5, 50) == [(5, 10), (20, 30), (40, 50)]
    assert coverage.spans == [(5, 50)]


def test_a_part_of_a_span_is_known_already() -> None:
    coverage = Coverage()
    coverage.claim(10, 40)
    assert coverage.claim(10, 40) == []
    assert coverage.claim(15, 20) == []
    assert coverage.claim(35, 45) == [(40, 45)]
    assert coverage.claim(5, 15) == [(5, 10)]
    assert coverage.spans == [(5, 45)]


def test_forgetting_cuts_the_span_that_straddles() -> None:
    coverage = Coverage()
    coverage.claim(0, 10)
    coverage.claim(20, 40)
    coverage.claim(50, 60)
    coverage.forget_before(30)
    assert coverage.spans == [(30, 40), (50, 60)]
    coverage.forget_before(45)
    assert coverage.spans == [(50, 60)]
    coverage.forget_before(60)
    assert not coverage


def test_beyond_the_bound_the_smallest_holes_are_closed_first() -> None:
    coverage = Coverage()
    # Holes of 45 s, as when every fourth measurement is seen, and a real gap of an hour in the middle.
    for number in range(2 * FRAGMENTS):
        start = number * 60 + (3600 if number >= FRAGMENTS else 0)
        assert coverage.claim(start, start + 15) == [(start, start + 15)]
    assert len(coverage.spans) <= FRAGMENTS
    gap = (FRAGMENTS - 1) * 60 + 15, FRAGMENTS * 60 + 3600
    assert coverage.claim(*gap) == [gap]
    assert coverage.claim(15, 60) == []  # a small hole of long ago counts as measured
