"""What rules that do not know the future reach at best: the best of a large family, chosen with hindsight for each recording and baseline.

Every rule forms a distribution from the days before (decayed by one of several half-lives, or weighed by likeness as ours), takes one of
its percentiles or the requests of one price of risk, puts one of several floors under it, and multiplies by whatever factor is just enough
to keep the baseline's unmet demand and its mean and 95th-percentile overrun share on the judged days. Half-life, percentile (or price),
floor and factor are all chosen with the judged days known; a method that has to choose them beforehand can be lucky but not expect more.
Days are judged by their sketches, the baseline as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.amounts import Floats
from recommender.forecasting.analogs import Likeness, day_weights, recency
from recommender.forecasting.forecast import Forecast, at_price, forecast, percentile
from recommender.forecasting.prior import forecast_with_prior
from recommender.remembering.history import BAND_SHARES, Window
from recommender.replaying.frontier import fleet_scale
from recommender.replaying.learner import Learner
from recommender.replaying.usage import Usage

HALF_LIVES: Final = (1.0, 3.0, 7.0, 20.0, 1000.0)
"""Days; besides them the weights by likeness."""
PERCENTILES: Final = (0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.965, 0.98, 0.99, 0.9966, 1.0)
FLOORS: Final = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
"""Millicores."""
RISKS: Final = (0.5, 0.385, 0.296, 0.228, 0.176, 0.135, 0.104, 0.08, 0.062, 0.048, 0.037, 0.022, 0.01)
PRICES: Final = (0.0, 2.0, 4.0, 8.0)
_HALVINGS: Final = 14
_MOST: Final = 8.0
"""No factor is larger."""


@dataclass(frozen=True)
class Judged:
    """What was used on the judged days."""

    use: Floats
    """(containers, days, bands) millicores."""
    hours: Floats
    """(containers, days)."""


@dataclass(frozen=True)
class Outcome:
    """What requests cost and risk on the judged days."""

    requested: float
    """Core-hours."""
    unmet: float
    overrun: float
    overrun_p95: float

    def within(self, other: Outcome) -> bool:
        """Whether no risk is larger than another's, to a millionth."""
        slack = 1 + 1e-6
        return (
            self.unmet <= other.unmet * slack
            and self.overrun <= other.overrun * slack
            and self.overrun_p95 <= other.overrun_p95 * slack
        )


@dataclass(frozen=True)
class Rule:
    """A rule of the family before its factor, with what it asks for on each judged day."""

    decay: str
    """Where its distribution is from: the weights of the days before."""
    name: str
    """What it takes of it."""
    requests: Floats
    """(containers, days) millicores."""


def family(usage: Usage, learn_days: int) -> tuple[Judged, list[Rule]]:
    """All rules, each from the days before the judged one, and the judged days."""
    learner = Learner(usage)
    windows = {}
    for day in range(usage.days + 1):
        if day >= learn_days:
            windows[day] = learner.window(day)
        if day < usage.days:
            learner.observe(day)
    days = range(learn_days, usage.days)
    asked: dict[tuple[str, str], list[Floats]] = {}
    for day in days:
        for decay, name, requests in _of_day(windows[day]):
            asked.setdefault((decay, name), []).append(requests)
    hours = np.bincount(usage.group, usage.step_s / 3600, len(usage.names) * usage.days).astype(np.float64)
    use = np.stack([windows[day + 1].cpu[:, -1] for day in days], axis=1)
    rules = [Rule(decay, name, np.stack(of, axis=1)) for (decay, name), of in asked.items()]
    return Judged(np.nan_to_num(use), hours.reshape(-1, usage.days)[:, learn_days:]), rules


def _of_day(of: Window) -> Iterator[tuple[str, str, Floats]]:
    scale = fleet_scale(of)
    for decay, made in _forecasts(of):
        for share in PERCENTILES:
            yield decay, f"percentile {100 * share:g}", percentile(made, share)
        for risk in RISKS:
            for price in PRICES:
                yield decay, f"risk {risk:g} at overrun price {price:g}", at_price(made, risk, price * scale)


def _forecasts(of: Window) -> Iterator[tuple[str, Forecast]]:
    yield "by likeness", forecast(of, day_weights(of))
    yield "by likeness, unseen days and peers", forecast_with_prior(of)
    for days in HALF_LIVES:
        weights = np.where(of.known, recency(of, Likeness(half_life_days=days, week_part_factor=1.0)), 0.0)
        yield f"half-life {days:g} d", forecast(of, weights)


def outcome(judged: Judged, requests: Floats) -> Outcome:
    """What requests come to; days without a request are left out."""
    hours = np.where(np.isfinite(requests), judged.hours, 0.0)
    asked = np.nan_to_num(requests)
    above = np.maximum(judged.use - asked[:, :, None], 0.0)
    used = float(((judged.use @ BAND_SHARES) * hours).sum())
    total = hours.sum(axis=1)
    present = total > 0
    over = (((above > 0) @ BAND_SHARES) * hours).sum(axis=1)[present] / total[present]
    return Outcome(
        float((asked * hours).sum()) / 1000,
        float(((above @ BAND_SHARES) * hours).sum()) / used,
        float(over.mean()),
        float(np.percentile(over, 95)),
    )


def best(judged: Judged, rules: list[Rule], baseline: Floats) -> dict[str, Any]:
    """The largest saving of any rule within the baseline's risks; `rule` names it, `by_decay` has the largest of each decay.

    `baseline` are its requests on the judged days. None where no rule keeps the risks.
    """
    theirs = outcome(judged, baseline)
    least = dict.fromkeys((rule.decay for rule in rules), float("inf"))
    names: dict[str, str] = {}
    for rule in rules:
        for floor in FLOORS:
            requests = np.maximum(rule.requests, floor)
            if floor and np.array_equal(requests, rule.requests, equal_nan=True):
                continue
            factor = _factor(judged, requests, theirs, least[rule.decay])
            if factor is not None:
                least[rule.decay] = outcome(judged, factor * requests).requested
                names[rule.decay] = f"{rule.decay}, {rule.name}, floor {floor:g}m, x {factor:.3g}"
    savings = {decay: round(1 - of / theirs.requested, 4) if decay in names else None for decay, of in least.items()}
    first = min(names, key=lambda decay: least[decay], default=None)
    if first is None:
        return {"saving": None, "rule": None, "by_decay": savings}
    return {"saving": savings[first], "rule": names[first], "by_decay": savings}


def _factor(judged: Judged, requests: Floats, theirs: Outcome, least: float) -> float | None:
    """The smallest factor that keeps the risks; None where it takes more than `_MOST`, or cores than `least`."""
    hours = np.where(np.isfinite(requests), judged.hours, 0.0)
    whole = float((np.nan_to_num(requests) * hours).sum()) / 1000
    low, high = 0.0, min(_MOST, least / whole)
    if not outcome(judged, high * requests).within(theirs):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if outcome(judged, middle * requests).within(theirs):
            high = middle
        else:
            low = middle
    return high
