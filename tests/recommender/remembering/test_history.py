"""Sketches of days, the bounded history, its checkpoint, and the weights of days."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.forecasting.analogs import day_weights, weekday
from recommender.remembering.codes import decode, encode
from recommender.remembering.history import BAND_SHARES, BANDS, DAYS, History, sketch, window
from tests.support.usage import MONDAY

NO_MEMORY = float("nan")


def day_of(level: float, memory: float = NO_MEMORY, samples: int = 288) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.arange(samples) * 300, np.full(samples, level), np.full(samples, memory)


def test_codes_keep_amounts_to_three_hundredths_of_a_percent() -> None:
    amounts = np.array([0.0, 0.5, 25.0, 8_400.0, 3.7e9, 1e14])
    assert decode(encode(amounts)) == pytest.approx(amounts, rel=3.1e-4)
    assert np.isnan(decode(encode(np.array([np.nan]))))[0]


def test_a_sketch_keeps_the_mean_and_ranks_the_bands() -> None:
    cpu = np.arange(288.0)
    made = sketch(np.arange(288) * 300, cpu, np.full(288, np.nan))
    assert (made.cpu * BAND_SHARES).sum() == pytest.approx(143.5, rel=0.01)  # the mean of 0..287
    assert made.cpu[-1] == 287  # ranks 0.9966 x 288 = 287.02 and up: the last sample alone
    assert made.late_cpu == pytest.approx(275.5)  # the last 24 samples: 264..287
    assert np.isnan(made.memory_peak)


def test_a_sketch_of_one_sample_is_that_sample() -> None:
    made = sketch(np.array([5]), np.array([7.0]), np.array([9.0]))
    assert made.cpu.tolist() == [7.0] * BANDS
    assert (made.late_cpu, made.memory_peak, made.samples) == (7.0, 9.0, 1)


def test_days_older_than_the_ring_are_forgotten_and_gaps_stay_gaps() -> None:
    history = History()
    for day in (MONDAY - DAYS - 1, MONDAY - DAYS, MONDAY - 1):
        history.add(day, sketch(*day_of(float(day - MONDAY + 100))))
    seen = window([history], MONDAY)
    assert seen.known[0].sum() == 2
    assert seen.known[0, 0]
    assert seen.known[0, -1]
    assert seen.cpu[0, -1, 0] == pytest.approx(99.0, rel=1e-3)


def test_what_is_learned_later_is_not_seen_earlier() -> None:
    history = History()
    history.add(MONDAY, sketch(*day_of(5.0)))
    assert not window([history], MONDAY).known.any()
    assert window([history], MONDAY + 1).known.sum() == 1


def test_a_checkpoint_gives_back_the_same_history_and_is_small() -> None:
    history = History()
    rng = np.random.default_rng(3)
    for day in range(MONDAY, MONDAY + 70):
        history.add(day, sketch(np.arange(288) * 300, rng.lognormal(5, 2, 288), rng.lognormal(20, 1, 288)))
    text = history.checkpoint()
    again = History.from_checkpoint(text)
    assert (again.codes == history.codes).all()
    assert (again.days == history.days).all()
    assert len(text) <= 3600  # 56 days x 46 bytes, incompressible, in base64: 3435


@pytest.mark.parametrize("text", ["", "9:AAAA", "1:%%%", "1:AAAA"])
def test_a_damaged_checkpoint_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="learn again"):
        History.from_checkpoint(text)


def test_an_oom_kill_raises_the_peak_of_its_day() -> None:
    history = History()
    history.add(MONDAY, sketch(*day_of(5.0, memory=4e8)))
    history.record_oom(MONDAY, 1e9, 120)
    assert window([history], MONDAY + 1).memory_peak[0, -1] == pytest.approx(1.2e9, rel=1e-3)  # 1.2 x beats + 100 MiB
    history.record_oom(MONDAY, 1e8, 120)
    assert window([history], MONDAY + 1).memory_peak[0, -1] == pytest.approx(1.2e9, rel=1e-3)  # never lowered


def filled(levels: list[float]) -> History:
    history = History()
    for age, level in enumerate(reversed(levels), start=1):
        history.add(MONDAY - age, sketch(*day_of(level)))
    return history


def test_the_calendar_starts_on_a_thursday() -> None:
    assert weekday(np.array([0, MONDAY])).tolist() == [3, 0]


def test_days_that_followed_days_like_the_last_one_weigh_more() -> None:
    # yesterday was quiet; quiet days were followed by busy ones: busy days, however old, must outweigh quiet ones of the same age
    weights = day_weights(window([filled([1000.0, 10.0] * 14)], MONDAY))[0]
    busy, quiet = weights[-2::-14], weights[-1::-14]  # same weekdays each
    assert (busy[:2] > quiet[:2]).all()


def test_days_not_observed_have_no_weight() -> None:
    weights = day_weights(window([filled([100.0] * 3)], MONDAY))[0]
    assert np.count_nonzero(weights) == 3
