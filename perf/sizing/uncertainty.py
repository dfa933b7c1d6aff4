"""How sure a saving at equal risk is: the interval that other containers and other days of the same kind would give.

A saving on one recording depends on which containers and which days happened to be in it. Both are drawn anew with replacement, days in
blocks of neighbours (they resemble each other), independently of each other (the pigeonhole bootstrap: Owen, Annals of Applied Statistics
2007, whose variance is never too small on average), and the whole comparison is made again: the baseline's unmet demand in the draw, and
the cores that the frontier needs for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from recommender.amounts import Floats
from recommender.replaying.usage import Usage

DRAWS: Final = 1000
SEED: Final = 7
FEW_DAYS: Final = 20
BLOCK_DAYS: Final = 5
"""Neighbouring days drawn together where there are more than `FEW_DAYS`; else a day is drawn by itself."""


def cells(usage: Usage, cpu: Floats, first_day: int) -> Floats:
    """Core-hours requested, unmet and used by container and judged day, (3, containers, days), of requests in millicores."""
    asked = cpu.reshape(-1)[usage.group]
    judged = (usage.day >= first_day) & np.isfinite(asked)
    hours = np.where(judged, usage.step_s / 3.6e6, 0.0)
    above = np.maximum(usage.cpu - np.nan_to_num(asked), 0.0)
    shape = (len(usage.names), usage.days)
    amounts = (np.nan_to_num(asked), above, usage.cpu)
    return np.stack(
        [np.bincount(usage.group, of * hours, shape[0] * shape[1]).reshape(shape)[:, first_day:] for of in amounts]
    )


def interval(frontier: Sequence[Floats], baseline: Floats, draws: int = DRAWS) -> dict[str, Any]:
    """Standard error and 95 % interval of the saving at the baseline's unmet demand; by containers, by days, and by both.

    Draws in which the frontier does not come to the baseline's unmet demand give no saving; `reached` is the share of the others.
    """
    rng = np.random.default_rng(SEED)
    containers, days = baseline.shape[1:]
    found = {}
    for kind in ("containers", "days", "both") if days > 1 else ("containers",):
        of_containers = _draws(rng, containers, 1, draws) if kind != "days" else np.ones((draws, containers))
        of_days = np.ones((draws, days))
        if kind != "containers":
            of_days = _draws(rng, days, BLOCK_DAYS if days > FEW_DAYS else 1, draws)
        found[kind] = _described(_savings(frontier, baseline, of_containers, of_days))
    return found


def _draws(rng: np.random.Generator, count: int, block: int, draws: int) -> Floats:
    """How often each of `count` neighbours is drawn, (draws, count); blocks go round at the end."""
    blocks = -(-count // block)
    starts = rng.integers(0, count, (draws, blocks))
    members = ((starts[:, :, None] + np.arange(block)) % count).reshape(draws, -1)[:, :count]
    times = np.zeros((draws, count))
    np.add.at(times, (np.arange(draws)[:, None], members), 1.0)
    return times


def _savings(frontier: Sequence[Floats], baseline: Floats, containers: Floats, days: Floats) -> Floats:
    """The saving in each draw; NaN where the frontier does not reach the baseline's unmet demand."""

    def sums(of: Floats) -> Floats:
        total: Floats = np.einsum("dc,kct,dt->kd", containers, of, days, optimize=True)
        return total

    theirs = sums(baseline)
    ours = np.stack([sums(of) for of in frontier])
    with np.errstate(invalid="ignore", divide="ignore"):
        unmet, wanted = ours[:, 1] / ours[:, 2], theirs[1] / theirs[2]
    saved = np.full(len(wanted), np.nan)
    for draw, at in enumerate(wanted):
        order = np.lexsort((ours[:, 0, draw], unmet[:, draw]))
        xs = unmet[order, draw]
        if xs[0] <= at <= xs[-1]:
            saved[draw] = 1 - np.interp(at, xs, ours[order, 0, draw]) / theirs[0, draw]
    return saved


def _described(savings: Floats) -> dict[str, Any]:
    known = savings[np.isfinite(savings)]
    if len(known) < 2:  # noqa: PLR2004 - one number has no spread
        return {"standard_error": None, "interval_95": None, "reached": round(len(known) / len(savings), 3)}
    low, high = np.percentile(known, [2.5, 97.5])
    return {
        "standard_error": round(float(known.std(ddof=1)), 4),
        "interval_95": [round(float(low), 4), round(float(high), 4)],
        "reached": round(len(known) / len(savings), 3),
    }
