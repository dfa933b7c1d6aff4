"""How sure a saving at equal risk is: the interval that other containers and other days of the same kind would give.

A saving on one recording depends on which containers and which days happened to be in it. Both are drawn anew with replacement, days in
blocks of neighbours (they resemble each other), independently of each other (the pigeonhole bootstrap: Owen, Annals of Applied Statistics
2007, whose variance is never too small on average), and the whole comparison is made again: the baseline's unmet demand in the draw, and
the cores that the frontier needs for it. How often the whole target is met in a draw, overrun shares included, says how far a target that
was met or missed on the recording itself is a matter of which days and containers were in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from perf.sizing.targets import NEEDED
from recommender.amounts import Floats
from recommender.replaying.usage import Usage

DRAWS: Final = 1000
SEED: Final = 7
FEW_DAYS: Final = 20
BLOCK_DAYS: Final = 5
"""Neighbouring days drawn together where there are more than `FEW_DAYS`; else a day is drawn by itself."""


def cells(usage: Usage, cpu: Floats, first_day: int) -> Floats:
    """By container and judged day, of requests in millicores: core-hours requested, unmet and used, samples above the request, samples.

    (5, containers, days).
    """
    asked = cpu.reshape(-1)[usage.group]
    judged = (usage.day >= first_day) & np.isfinite(asked)
    hours = np.where(judged, usage.step_s / 3.6e6, 0.0)
    above = np.maximum(usage.cpu - np.nan_to_num(asked), 0.0)
    shape = (len(usage.names), usage.days)
    amounts = (np.nan_to_num(asked) * hours, above * hours, usage.cpu * hours, judged & (above > 0), judged)
    return np.stack([np.bincount(usage.group, of, shape[0] * shape[1]).reshape(shape)[:, first_day:] for of in amounts])


def interval(frontier: Sequence[Floats], baseline: Floats, draws: int = DRAWS) -> dict[str, Any]:
    """Standard error and 95 % interval of the saving at the baseline's unmet demand; by containers, by days, and by both.

    Draws in which the frontier does not come to the baseline's unmet demand give no saving; `reached` is the share of the others, and
    `target_met` that of all draws in which the saving is as large as needed and neither overrun share is above the baseline's.
    """
    rng = np.random.default_rng(SEED)
    containers, days = baseline.shape[1:]
    found = {}
    for kind in ("containers", "days", "both") if days > 1 else ("containers",):
        of_containers = _draws(rng, containers, 1, draws) if kind != "days" else np.ones((draws, containers))
        of_days = np.ones((draws, days))
        if kind != "containers":
            of_days = _draws(rng, days, BLOCK_DAYS if days > FEW_DAYS else 1, draws)
        found[kind] = _described(*_drawn(frontier, baseline, of_containers, of_days))
    return found


def _draws(rng: np.random.Generator, count: int, block: int, draws: int) -> Floats:
    """How often each of `count` neighbours is drawn, (draws, count); blocks go round at the end."""
    blocks = -(-count // block)
    starts = rng.integers(0, count, (draws, blocks))
    members = ((starts[:, :, None] + np.arange(block)) % count).reshape(draws, -1)[:, :count]
    times = np.zeros((draws, count))
    np.add.at(times, (np.arange(draws)[:, None], members), 1.0)
    return times


def _drawn(
    frontier: Sequence[Floats], baseline: Floats, containers: Floats, days: Floats
) -> tuple[Floats, np.typing.NDArray[np.bool_]]:
    """The saving in each draw, NaN where the frontier does not reach the baseline's unmet demand; and whether the target is met."""

    def sums(of: Floats) -> Floats:
        total: Floats = np.einsum("dc,kct,dt->kd", containers, of[:3], days, optimize=True)
        return total

    theirs = sums(baseline)
    ours = np.stack([sums(of) for of in frontier])
    with np.errstate(invalid="ignore", divide="ignore"):
        unmet, wanted = ours[:, 1] / ours[:, 2], theirs[1] / theirs[2]
    saved, met = np.full(len(wanted), np.nan), np.zeros(len(wanted), dtype=np.bool_)
    for draw, at in enumerate(wanted):
        order = np.lexsort((ours[:, 0, draw], unmet[:, draw]))
        xs = unmet[order, draw]
        if not xs[0] <= at <= xs[-1]:
            continue
        saved[draw] = 1 - np.interp(at, xs, ours[order, 0, draw]) / theirs[0, draw]
        if saved[draw] >= NEEDED:
            upper = min(max(1, int(np.searchsorted(xs, at))), len(xs) - 1)
            pair = order[upper - 1 : upper + 1]
            overruns = np.stack([_overruns(frontier[point], containers[draw], days[draw]) for point in pair])
            allowed = _overruns(baseline, containers[draw], days[draw])
            reached = [np.interp(at, unmet[pair, draw], overruns[:, kind]) for kind in range(len(allowed))]
            met[draw] = bool((np.array(reached) <= allowed).all())
    return saved, met


def _overruns(of: Floats, containers: Floats, days: Floats) -> Floats:
    """Overrun share of a draw: mean and 95th percentile over its containers."""
    above, samples = of[3] @ days, of[4] @ days
    there = (containers > 0) & (samples > 0)
    shares = np.repeat(above[there] / samples[there], containers[there].astype(np.int64))
    return np.array([shares.mean(), np.percentile(shares, 95)])


def _described(savings: Floats, met: np.typing.NDArray[np.bool_]) -> dict[str, Any]:
    known = savings[np.isfinite(savings)]
    shares = {"reached": round(len(known) / len(savings), 3), "target_met": round(float(met.mean()), 3)}
    if len(known) < 2:  # noqa: PLR2004 - one number has no spread
        return {"standard_error": None, "interval_95": None, **shares}
    low, high = np.percentile(known, [2.5, 97.5])
    return {
        "standard_error": round(float(known.std(ddof=1)), 4),
        "interval_95": [round(float(low), 4), round(float(high), 4)],
        **shares,
    }
