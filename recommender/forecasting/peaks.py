"""The distribution of tomorrow's memory peak, and the limits that follow from it for a price of risk or for a stated risk.

P(peak > m) = (1 - u) sum_i w_i / (1 + (m / peak_i)^(1 / s)) + u min(1, (m / highest)^-1.2): remembered daily peaks, each blurred by a
logistic kernel on the log scale (s = 0.055, a standard deviation of about 10 %), and a heavy tail for days unlike all seen, whose share u
falls with the number of days (recommender.forecasting.unseen). Memory cannot be throttled, so only peaks count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.amounts import Floats
from recommender.forecasting.analogs import Likeness, recency
from recommender.forecasting.unseen import EXPONENT, LARGEST, unseen_share
from recommender.remembering.history import Window

KERNEL: Final = 0.055
STEPS: Final = 80
MEMORY_LIKENESS: Final = Likeness(half_life_days=28.0)
_UNLIKE: Final = 0.05
_LIKENESS: Final = 0.5


@dataclass(frozen=True)
class PeakForecast:
    """Amounts of memory with the predicted probability that the day's peak exceeds each; rows are containers."""

    memory: Floats
    """(containers, STEPS) bytes, ascending, geometric."""
    breach: Floats
    """Predicted probability of a breach day with this limit."""


def peak_weights(of: Window) -> Floats:
    """Weight of each remembered day's peak: recent, and following days with peaks like the last three; (containers, days)."""
    level = np.log(np.maximum(of.memory_peak, 1.0))
    eve = np.concatenate([np.full((len(level), 1), np.nan), level[:, :-1]], axis=1)
    before = np.concatenate([np.full((len(level), 1), np.nan), eve[:, :-1]], axis=1)
    three = np.fmax(np.fmax(level, eve), before)
    eves = np.concatenate([np.full((len(level), 1), np.nan), three[:, :-1]], axis=1)
    distance = np.abs(three[:, -1:] - eves)
    alike = np.where(
        np.isfinite(distance), np.exp(-_LIKENESS * np.nan_to_num(distance)), MEMORY_LIKENESS.unknown_likeness
    )
    weights = recency(of, MEMORY_LIKENESS)[None, :] * (_UNLIKE + (1 - _UNLIKE) * alike)
    return np.where(np.isfinite(of.memory_peak), weights, 0.0)


def peak_forecast(of: Window) -> PeakForecast:
    """Forecast of the peaks of a window's containers; NaN rows where memory was never observed."""
    weights = peak_weights(of)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    peaks = np.maximum(np.where(weights > 0, of.memory_peak, 0.0), 1.0)
    highest = peaks.max(axis=1)
    lowest = np.where(weights > 0, peaks, np.inf).min(axis=1, initial=np.inf)
    lowest = np.minimum(lowest, highest)
    steps = np.linspace(0.0, 1.0, STEPS)
    memory = lowest[:, None] * (LARGEST * highest / lowest)[:, None] ** steps
    log_peaks, log_memory = np.log(peaks), np.log(memory)
    unseen = unseen_share((weights > 0).sum(axis=1))
    breach = np.empty_like(memory)
    for step in range(STEPS):  # one amount at a time bounds the memory of a pass
        above = 0.5 - 0.5 * np.tanh((log_memory[:, step, None] - log_peaks) / (2 * KERNEL))
        new = np.minimum(1.0, (memory[:, step] / highest) ** -EXPONENT)
        breach[:, step] = (1 - unseen) * (weights * above).sum(axis=1) + unseen * new
    memory[total[:, 0] <= 0] = np.nan
    return PeakForecast(memory, breach)


def at_price(of: PeakForecast, price: float, most: float) -> Floats:
    """The amount with the least cost m + price x P(breach), bytes; containers whose P would exceed `most` get more.

    `price` is what a breach day costs, in bytes.
    """
    cost = np.where(of.breach <= most, of.memory + price * of.breach, np.inf)
    cost[:, -1] = np.minimum(cost[:, -1], np.finfo(np.float64).max)
    amounts: Floats = of.memory[np.arange(len(of.memory)), cost.argmin(axis=1)]
    return amounts


def within_risk(of: PeakForecast, breach: Floats) -> Floats:
    """The smallest amount whose predicted probability of a breach keeps within a bound by container, bytes."""
    enough = of.breach <= breach[:, None] + 1e-12
    found = np.where(enough.any(axis=1), enough.argmax(axis=1), STEPS - 1)
    amounts: Floats = of.memory[np.arange(len(of.memory)), found]
    return amounts
