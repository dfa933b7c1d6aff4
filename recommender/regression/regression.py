"""The automatic step back: whether a workload fares worse since a size was applied, and what is done about it until when.

A watch holds, per workload and in bounded space, what was usual before a size was applied, what happened since, and the sizes of both
times. While nothing is applied the usual is learned; from `apply` on it is frozen for two weeks, however often sizes change meanwhile,
so that many small steps cannot hide a rise. A rise (recommender.regression.rate_change) starts a step back of 14 days:

- the careful recommendation is read at half the calibration level (`careful_level`), at a quarter on a repetition, and so on;
- it is never below the last good size (`no_less_than_good`);
- hours under the size that failed are not learned from; once the careful size is applied, testing begins anew.

A rise is blamed on a size only if that size made the resource in question smaller than before (a container without a request before had
all it could get). A rise within 14 days of a step back's end is a repetition, if the careful size had been applied at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from recommender.regression.rate_change import (
    PROBATION_HOURS,
    SPANS,
    Hour,
    Rise,
    Tally,
    count_rise,
    most_telling,
    throttling_rise,
)
from recommender.risk import LEVEL_MIN
from stowplan.model.profile import Regression, Signal

HOUR_S: Final = 3600
PROBATION_S: Final = PROBATION_HOURS * HOUR_S
STEP_BACK_S: Final = 14 * 24 * HOUR_S
REPEATED_WITHIN_S: Final = 14 * 24 * HOUR_S
MOST_STEPS: Final = 8

Sizes = Mapping[str, tuple[int, int]]
"""Requested millicores and bytes by container; 0: none requested."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of one workload. All transitions give a new watch; times are Unix seconds and must not go back."""

    good: Sizes = field(default_factory=dict)
    """In force while the usual was learned."""
    current: Sizes = field(default_factory=dict)
    """In force now."""
    previous: Sizes = field(default_factory=dict)
    """In force before the current ones."""
    changed_s: int = 0
    """When the current ones came into force; 0: before anything was applied."""
    applied_s: int = 0
    """Since when sizes are in force that are not proven; 0: the current ones are the good ones."""
    usual: Tally = field(default_factory=Tally)
    since: Tally = field(default_factory=Tally)
    recent: tuple[Hour, ...] = ()
    """The last hours of `since`, newest last."""
    regression: Regression | None = None
    """The step back that is going on, or the last one."""
    careful_applied: bool = False
    """Whether the careful size of `regression` has been applied."""


def stepping_back(watch: Watch, now_s: int) -> Regression | None:
    """The step back that is going on, as it is published in the WorkloadProfile; None once it has ended."""
    return watch.regression if watch.regression is not None and now_s < watch.regression.until_s else None


def apply(watch: Watch, sizes: Sizes, now_s: int) -> Watch:
    """These requests are in force from now on. The first call names those that the workload had before anything was applied."""
    if dict(sizes) == dict(watch.current):
        return watch
    if not watch.current:
        return replace(watch, good=dict(sizes), current=dict(sizes))
    changed = replace(watch, previous=watch.current, current=dict(sizes), changed_s=now_s)
    if stepping_back(watch, now_s) is not None and not watch.careful_applied:
        return replace(changed, applied_s=now_s, since=Tally(), recent=(), careful_applied=True)
    return changed if watch.applied_s else replace(changed, applied_s=now_s, since=Tally(), recent=())


def observe(watch: Watch, hour: Hour, end_s: int) -> Watch:
    """Learn an hour that ended at `end_s`; `stepping_back` of the result tells whether it started or lengthened a step back.

    An hour in which nothing ran is left out. Hours may be missing; they must come in order.
    """
    watch = _proven(watch, end_s)
    if hour.containers <= 0:
        return watch
    if not watch.applied_s:
        return replace(watch, usual=watch.usual.faded().plus(hour))
    if stepping_back(watch, end_s) is not None and not watch.careful_applied:
        return watch
    watch = replace(watch, since=watch.since.plus(hour), recent=(*watch.recent, hour)[-SPANS.stop + 1 :])
    rise = _rise(watch, end_s)
    return watch if rise is None else _stepped_back(watch, rise, end_s)


def careful_level(level: float, step: int) -> float:
    """The calibration level to read a forecast at during a step back: each step halves it."""
    return max(LEVEL_MIN, level * 0.5**step)


def no_less_than_good(watch: Watch, sizes: Sizes) -> dict[str, tuple[int, int]]:
    """Recommended sizes, each at least the last good one."""
    return {
        name: (max(cpu, watch.good.get(name, (0, 0))[0]), max(memory, watch.good.get(name, (0, 0))[1]))
        for name, (cpu, memory) in sizes.items()
    }


def _proven(watch: Watch, now_s: int) -> Watch:
    """The watch once its two weeks are over without a rise: what happened since becomes usual, the sizes of that time the good ones."""
    if not watch.applied_s or stepping_back(watch, now_s) is not None:
        return watch
    if watch.regression is not None and watch.applied_s < watch.regression.until_s and not watch.careful_applied:
        return replace(watch, applied_s=now_s, since=Tally(), recent=())  # nobody tried the careful size: test anew
    if now_s - watch.applied_s < PROBATION_S:
        return watch
    young = now_s - watch.changed_s < PROBATION_S
    return replace(
        watch,
        good=watch.previous if young else watch.current,
        applied_s=watch.changed_s if young else 0,
        usual=watch.usual.merged(watch.since).faded(),
        since=Tally(),
        recent=(),
    )


def _rise(watch: Watch, now_s: int) -> Rise | None:
    usual, since = watch.usual, watch.since
    rises = (
        count_rise(Signal.OOM_RATE, usual.oom_kills, watch.recent, since.oom_kills),
        count_rise(Signal.RESTARTS, usual.restarts, watch.recent, since.restarts),
        throttling_rise(usual.throttling, watch.recent),
    )
    return most_telling(rise for rise in rises if rise is not None and _to_blame(watch, rise.signal, now_s))


def _to_blame(watch: Watch, signal: Signal, now_s: int) -> bool:
    """Whether the size can be the reason: it took away some of the resource, or is the careful one of a step back."""
    if _repeats(watch, now_s):
        return True
    resources = {Signal.OOM_RATE: (1,), Signal.THROTTLING: (0,)}.get(signal, (0, 1))
    for name, sizes in watch.current.items():
        before = watch.good.get(name, (0, 0))
        if any(sizes[at] and (not before[at] or sizes[at] < before[at]) for at in resources):
            return True
    return False


def _repeats(watch: Watch, now_s: int) -> bool:
    return watch.regression is not None and now_s < watch.regression.until_s + REPEATED_WITHIN_S


def _stepped_back(watch: Watch, rise: Rise, now_s: int) -> Watch:
    step = 1
    if watch.regression is not None and _repeats(watch, now_s):
        step = min(MOST_STEPS, watch.regression.step + watch.careful_applied)
    regression = Regression(rise.signal, now_s, now_s + STEP_BACK_S, rise.message, step)
    return replace(watch, regression=regression, careful_applied=False, since=Tally(), recent=())
