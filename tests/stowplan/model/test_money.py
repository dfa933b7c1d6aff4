"""Money at the edge."""

from stowplan.model.money import MICRO_USD, dollars


def test_a_million_micro_dollars_are_a_dollar() -> None:
    assert dollars(MICRO_USD) == 1.0
    assert dollars(-192_000) == -0.192
