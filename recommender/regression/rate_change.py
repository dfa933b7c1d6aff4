"""Whether something bad happens more often than before: exact tests on hourly counts, with a stated false-alarm rate.

Counted per hour and workload are *containers affected*, so that a crash loop counts once an hour and not once a restart. What was usual is
a tally of the hours before a size was applied; each new hour is compared over the last 2 to 24 hours (which finds the point of change) and
over all hours since the size was applied. A rise needs all of:

- events in at least two different hours: one bad node is not a bad size;
- more than mean + 4 sigma of the usual, for the compared time;
- an exact test at TEST_LEVEL. Given a events now and b before, on exposures A and B (container-hours), a of an unchanged Poisson rate is
  binomial of a + b trials with the share A / (A + B) (Przyborowski & Wilenski, Biometrika 1940). Bursts are divided out first: counts are
  scaled by the usual variance / mean where that exceeds 1 (quasi-Poisson).

Throttling is a share and has no such law. An hour is *high* above mean + 4 sigma of the usual hours, which for exchangeable hours of any
distribution has at most the probability `high_probability` (Saw, Yang & Mo, The American Statistician 1984); high hours are binomial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stowplan.model.profile import Signal

SIGMAS: Final = 4.0
USUAL_HOURS: Final = 168
"""Hours that a tally looks back on, by exponential forgetting: one week, so that every part of a week is in it."""
LEAST_HOURS: Final = 40
"""Hours needed before mean and sigma of throttling are trusted."""
LEAST_SIGMA: Final = 0.005
"""Half a percent of throttled periods: less is noise of the measurement."""
SPANS: Final = range(2, 25)
"""Lengths in hours of the most recent time that is compared."""
PROBATION_HOURS: Final = 14 * 24
FALSE_ALARM: Final = 0.01
"""Bound on the probability of any alarm in the two weeks after a size was applied, if nothing changed."""
TEST_LEVEL: Final = FALSE_ALARM / (PROBATION_HOURS * (len(SPANS) + 1) * len(Signal))
"""Of a single comparison: Bonferroni over hours, spans (and the whole time) and signals."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What befell a workload in one hour."""

    containers: float
    """Container-hours watched: containers times the share of the hour that they ran."""
    oom_killed: int
    """Containers killed for memory at least once (evictions for memory included)."""
    restarted: int
    """Containers that ended with an error at least once, for another reason."""
    throttled: float = float("nan")
    """Mean share (0..1) of CFS periods that were throttled; NaN where unknown."""

    def count(self, signal: Signal) -> int:
        """Containers affected; throttling has no count."""
        return {Signal.OOM_RATE: self.oom_killed, Signal.RESTARTS: self.restarted}.get(signal, 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """Hours added up for one kind of event."""

    hours: float = 0.0
    exposure: float = 0.0
    """Container-hours."""
    events: float = 0.0
    squares: float = 0.0
    """Sum of the squared counts of the hours."""
    eventful: float = 0.0
    """Hours with at least one event."""

    def plus(self, hour: Hour, signal: Signal) -> Counts:
        """With one more hour."""
        count = hour.count(signal)
        return Counts(
            self.hours + 1,
            self.exposure + hour.containers,
            self.events + count,
            self.squares + count * count,
            self.eventful + (count > 0),
        )

    def scaled(self, factor: float) -> Counts:
        """Everything times a factor."""
        values = (self.hours, self.exposure, self.events, self.squares, self.eventful)
        return Counts(*(value * factor for value in values))

    def merged(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.hours + other.hours,
            self.exposure + other.exposure,
            self.events + other.events,
            self.squares + other.squares,
            self.eventful + other.eventful,
        )

    @property
    def dispersion(self) -> float:
        """Variance / mean of the hourly counts, at least 1 (a Poisson's)."""
        mean = self.events / self.hours if self.hours else 0.0
        return max(1.0, (self.squares / self.hours - mean * mean) / mean) if mean > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Shares:
    """Hours with a known share of throttled periods."""

    hours: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, hour: Hour) -> Shares:
        """With one more hour; an unknown share changes nothing."""
        if math.isnan(hour.throttled):
            return self
        return Shares(self.hours + 1, self.total + hour.throttled, self.squares + hour.throttled**2)

    def scaled(self, factor: float) -> Shares:
        """Everything times a factor."""
        return Shares(self.hours * factor, self.total * factor, self.squares * factor)

    def merged(self, other: Shares) -> Shares:
        """Both together."""
        return Shares(self.hours + other.hours, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """Mean share; 0 without hours."""
        return self.total / self.hours if self.hours else 0.0

    @property
    def high_from(self) -> float:
        """The share above which an hour is high: mean + 4 sigma."""
        variance = max(0.0, self.squares / self.hours - self.mean**2) if self.hours else 0.0
        return self.mean + SIGMAS * max(LEAST_SIGMA, math.sqrt(variance))


@dataclass(frozen=True, slots=True)
class Tally:
    """Hours added up for all signals."""

    oom_kills: Counts = Counts()
    restarts: Counts = Counts()
    throttling: Shares = Shares()

    def plus(self, hour: Hour) -> Tally:
        """With one more hour."""
        return Tally(
            self.oom_kills.plus(hour, Signal.OOM_RATE),
            self.restarts.plus(hour, Signal.RESTARTS),
            self.throttling.plus(hour),
        )

    def merged(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.oom_kills.merged(other.oom_kills),
            self.restarts.merged(other.restarts),
            self.throttling.merged(other.throttling),
        )

    def faded(self) -> Tally:
        """With room for one more hour in USUAL_HOURS: older hours count a little less with each new one."""

        def factor(hours: float) -> float:
            return min(1.0, (USUAL_HOURS - 1) / hours) if hours > 0 else 1.0

        return Tally(
            self.oom_kills.scaled(factor(self.oom_kills.hours)),
            self.restarts.scaled(factor(self.restarts.hours)),
            self.throttling.scaled(factor(self.throttling.hours)),
        )


@dataclass(frozen=True, slots=True)
class Rise:
    """Something rose; the message says from what to what."""

    signal: Signal
    hours: int
    """Length of the time that was compared."""
    probability: float
    """Of as much, had nothing changed."""
    message: str


def rise_probability(now: int, before: int, share: float) -> float:
    """P(X >= now) for X binomial of now + before trials with probability `share`: the exact test of an unchanged Poisson rate."""
    if now <= 0:
        return 1.0
    if share >= 1:
        return 1.0
    trials = now + before
    log_term = (
        math.lgamma(trials + 1)
        - math.lgamma(now + 1)
        - math.lgamma(before + 1)
        + now * math.log(share)
        + before * math.log1p(-share)
    )
    term = total = math.exp(log_term)
    for k in range(now, trials):
        term *= (trials - k) / (k + 1) * share / (1 - share)
        total += term
        if term <= total * 1e-12:
            break
    return min(1.0, total)


def high_probability(hours: float) -> float:
    """Most that P(an hour is above mean + 4 sigma of `hours` others) can be, whatever the distribution; 1 / 16 in the limit."""
    return math.floor((hours + 1) / hours * ((hours - 1) / SIGMAS**2 + 1)) / (hours + 1)


def count_rise(signal: Signal, usual: Counts, recent: Sequence[Hour], since: Counts) -> Rise | None:
    """The most telling rise of a count over the last hours (newest last) or all hours since, or None."""
    if not since.events or usual.exposure <= 0:
        return None
    candidates: list[Rise] = []
    span = Counts()
    for hours, hour in enumerate(reversed(recent), start=1):
        span = span.plus(hour, signal)
        if hours in SPANS:
            candidates += _count_rise(signal, usual, span, hours)
    candidates += _count_rise(signal, usual, since, round(since.hours))
    return most_telling(candidates)


def most_telling(rises: Iterable[Rise]) -> Rise | None:
    """The least probable one; the shorter time of equals."""
    return min(rises, key=lambda rise: (rise.probability, rise.hours), default=None)


def _count_rise(signal: Signal, usual: Counts, span: Counts, hours: int) -> list[Rise]:
    rate = usual.events / usual.exposure
    expected, dispersion = rate * span.exposure, usual.dispersion
    if span.eventful < 2 or span.events <= expected + SIGMAS * math.sqrt(dispersion * expected):  # noqa: PLR2004 - two hours
        return []
    now, before = math.floor(span.events / dispersion), math.ceil(usual.events / dispersion - 1e-9)
    probability = rise_probability(now, before, span.exposure / (span.exposure + usual.exposure))
    if probability > TEST_LEVEL:
        return []
    what = "OOM kills" if signal is Signal.OOM_RATE else "restarts"
    message = (
        f"{what} rose from {24 * rate:.2g} to {24 * span.events / span.exposure:.2g} per container-day"
        f" ({usual.events:.0f} in {usual.hours:.0f} h before, {span.events:.0f} in the last {hours} h;"
        f" p = {probability:.1g} had nothing changed)"
    )
    return [Rise(signal, hours, probability, message)]


def throttling_rise(usual: Shares, recent: Sequence[Hour]) -> Rise | None:
    """The most telling rise of the throttled share over the last hours (newest last), or None."""
    if usual.hours < LEAST_HOURS:
        return None
    limit, chance = usual.high_from, high_probability(usual.hours)
    candidates: list[Rise] = []
    known = high = 0
    total = 0.0
    for hours, hour in enumerate(reversed(recent), start=1):
        if not math.isnan(hour.throttled):
            known, high, total = known + 1, high + (hour.throttled > limit), total + hour.throttled
        if hours not in SPANS or not high:
            continue
        probability = rise_probability(high, known - high, chance)
        if probability <= TEST_LEVEL:
            message = (
                f"throttled CPU periods rose from {usual.mean:.1%} to {total / known:.1%} (above mean + 4 sigma = {limit:.1%} in"
                f" {high} of the last {known} h; p <= {probability:.1g} had nothing changed)"
            )
            candidates.append(Rise(Signal.THROTTLING, hours, probability, message))
    return most_telling(candidates)
