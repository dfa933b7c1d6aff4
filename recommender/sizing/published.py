"""From an estimate to what is published about a container: amounts, range, confidence, and the provenance of every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from recommender.forecasting.outlook import View
from recommender.remembering.codes import decode
from recommender.remembering.history import BANDS
from recommender.remembering.learned import Learned, Standing
from recommender.sizing.prices import Prices
from recommender.sizing.recommendation import confidence
from recommender.sizing.sized import Sized, whole
from recommender.sizing.sizing import Range
from recommender.workloads.pods import ContainerSpec
from stowplan.model.profile import ContainerRecommendation, Source

_LONGEST_FORMULA: Final = 1024
_OOM_DAYS: Final = 7
"""An OOM kill this many days (runs) ago is still named as the reason."""
_LEAST_DAYS: Final = 0.5
"""Of history, for the range: as in the VPA twelve hours make the upper bound three times what it would be."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The size of a container under a class, and what became of it."""

    sized: Sized
    row: int
    """In the columns of `sized`."""
    view: View
    spec: ContainerSpec | None
    mixed: tuple[int, int] | None = None
    """Millicores and bytes that take the place of those in `sized`."""
    source: Source | None = None
    """Where they are from, if not from the container's own usage."""
    said: str = ""
    """How they came about."""
    more_clamps: tuple[str, ...] = ()

    @property
    def cpu(self) -> int:
        """Millicores."""
        return whole(self.sized.cpu.value[self.row]) if self.mixed is None else self.mixed[0]

    @property
    def memory(self) -> int:
        """Bytes; 0 where memory was never measured."""
        return whole(self.sized.memory.value[self.row]) if self.mixed is None else self.mixed[1]

    def at_least(self, floors: tuple[int, int]) -> Estimate:
        """No less than what was good before a step back."""
        amounts = max(self.cpu, floors[0]), max(self.memory, floors[1])
        if amounts == (self.cpu, self.memory):
            return self
        return replace(self, mixed=amounts, more_clamps=(*self.more_clamps, "step back"))


def recommendation(of: Estimate, span: Range, prices: Prices) -> ContainerRecommendation:
    """What is published."""
    sized, row, view = of.sized, of.row, of.view
    days = int(view.hours // 24)
    own = bool(np.isfinite(sized.found.cpu[row]))
    said = "; ".join(text for text in (of.said, sized.formula(row) if own else "") if text)
    clamps = (sized.clamps(row) if of.source is None else ()) + of.more_clamps
    known = view.history.codes[view.history.days >= 0, BANDS + 2]
    cpu_was, memory_was = (of.spec.cpu, of.spec.memory) if of.spec is not None else (0, 0)
    saved = prices.of(cpu_was - of.cpu if cpu_was else 0, memory_was - of.memory if memory_was and of.memory else 0)
    if (
        view.learned.slow.init
    ):  # a pod requests the largest of its init containers or the sum of the others, not all of them
        saved = 0
    lower, upper = _range(of, span)
    return ContainerRecommendation(
        name=view.container,
        target=_amounts(of.cpu, of.memory),
        lower=lower,
        upper=upper,
        confidence=confidence(days, sized.wclass),
        source=of.source or _source(of),
        formula=said[:_LONGEST_FORMULA],
        samples=int(known.astype(np.int64).sum()),
        days=days,
        clamps=clamps,
        saving_micro_usd_per_hour=saved,
    )


def _amounts(cpu: int, memory: int) -> dict[str, int]:
    return {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount > 0}


def _range(of: Estimate, span: Range) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Below and above what the target is unsafe or waste; the target is always within, and little history widens the upper end."""
    wide = 1 + 1 / max(of.view.hours / 24, _LEAST_DAYS)
    lows, highs = {}, {}
    for name, target, low, high in (
        ("cpu", of.cpu, span.cpu_low[of.row], span.cpu_high[of.row]),
        ("memory", of.memory, span.memory_low[of.row], span.memory_high[of.row]),
    ):
        if target > 0 and np.isfinite(low):
            lows[name], highs[name] = min(target, int(low)), max(target, int(high * wide))
    return lows, highs


def _source(of: Estimate) -> Source:
    if _asked_by_oom(of.view):
        return Source.OOM
    return Source.STAFFING if of.sized.by_staffing(of.row) else Source.USAGE


def _asked_by_oom(view: View) -> bool:
    """Whether a kill of the last days asked for more than was ever seen used."""
    slow, newest = view.learned.slow, view.learned.newest
    if slow.oom_day < 0 or slow.oom_day < newest - _OOM_DAYS:
        return False
    peaks = decode(view.history.codes[view.history.days >= 0, BANDS + 1])
    highest = float(np.nanmax(peaks)) if np.isfinite(peaks).any() else 0.0
    return slow.oom_bytes >= highest * 0.999  # codes are that exact


def stand(learned: Learned, day: int, of: Estimate) -> None:
    """Let the first recommendation of a day (run) be what the day is judged by: later ones know a part of it."""
    if learned.standing is not None and learned.standing.day == day:
        return
    percent = of.sized.wclass.limits.memory_percent or 100
    usual = float(of.sized.found.mean[of.row])
    if of.cpu > 0 and np.isfinite(usual):
        learned.standing = Standing(day, of.sized.wclass.name, of.cpu, of.memory * percent / 100, usual)
