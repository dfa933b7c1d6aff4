"""The targets of right-sizing against the baselines, at equal risk on days that were not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from recommender.amounts import Floats
from recommender.replaying.frontier import Frontier, Point
from recommender.replaying.judge import Verdict

NEEDED: Final = 0.05
"""At least this share less is the target."""
ROOM: Final = 0.75
"""On tuning days a setting must keep the baseline's overrun shares times this: what is to hold on later days needs room on these."""
OVERRUNS: Final = ("overrun_share", "overrun_share_p95")
"""The measures that may be no worse than the baseline's."""


def cpu_target(points: Sequence[Point], baseline: Verdict) -> dict[str, Any]:
    """Cores requested at the baseline's unmet demand, with its overrun shares as bounds; measures interpolated on the frontier."""
    theirs = baseline.summary()["cpu"]
    ours = interpolated([point.verdict.summary()["cpu"] for point in points], "unmet", theirs["unmet"])
    if ours is None:
        return {"baseline": theirs, "reached": None, "met": False}
    saving = 1 - ours["requested"] / theirs["requested"]
    no_worse = all(ours[key] <= theirs[key] for key in OVERRUNS)
    return {
        "baseline": theirs,
        "reached": ours,
        "saving": round(saving, 4),
        "overrun_no_worse": no_worse,
        "met": bool(saving >= NEEDED and no_worse),
    }


def memory_target(points: Sequence[Point], baseline: Verdict) -> dict[str, Any]:
    """Memory requested at the baseline's breach days."""
    theirs = baseline.summary()["memory"]
    ours = interpolated([point.verdict.summary()["memory"] for point in points], "breach_days", theirs["breach_days"])
    if ours is None:
        return {"baseline": theirs, "reached": None, "met": False}
    saving = 1 - ours["requested"] / theirs["requested"]
    return {"baseline": theirs, "reached": ours, "saving": round(saving, 4), "met": bool(saving >= NEEDED)}


def interpolated(points: Sequence[dict[str, Any]], by: str, at: float) -> dict[str, Any] | None:
    """All measures where `by` has the wanted value, between the two nearest points; None outside the frontier.

    Of points with the same value (breach days are counts) the one that requests least is taken.
    A mixture of two settings (some containers by one, the rest by the other) reaches what lies between them.
    """
    ranked = sorted((p for p in points if p[by] is not None), key=lambda p: (float(p[by]), float(p["requested"])))
    known = [p for at, p in enumerate(ranked) if at == 0 or p[by] != ranked[at - 1][by]]
    xs: Floats = np.array([point[by] for point in known], dtype=np.float64)
    if not len(xs) or not xs[0] <= at <= xs[-1]:
        return None
    return {
        key: float(f"{np.interp(at, xs, np.array([point[key] for point in known], dtype=np.float64)):.6g}")
        for key in known[0]
        if isinstance(known[0][key], (int, float))
    }


def cheapest_with_room(found: dict[float, dict[str, Any]]) -> float:
    """The overrun price that saves most of those whose overrun shares, mean and 95th percentile, keep ROOM times the baseline's.

    If none does, the one that overruns least beside the baseline. Prices at which the frontier does not come to the baseline's unmet
    demand are left out, unless none does: then the largest.
    """
    reached = {price: of for price, of in found.items() if of["reached"] is not None}
    if not reached:
        return max(found)
    overruns = {price: _worst_overrun(of) for price, of in reached.items()}
    kept = [price for price, overrun in overruns.items() if overrun <= ROOM]
    if not kept:
        return min(overruns, key=lambda price: overruns[price])
    return max(kept, key=lambda price: float(reached[price]["saving"]))


def _worst_overrun(of: dict[str, Any]) -> float:
    """The larger of the two overrun shares over the baseline's; none of it is 0 times anything."""
    ours, theirs = of["reached"], of["baseline"]
    return max(ours[key] / theirs[key] if theirs[key] else (float("inf") if ours[key] else 0.0) for key in OVERRUNS)


def best_price(frontiers: dict[float, Frontier], baseline: Verdict) -> float:
    """The overrun price to use against a baseline: chosen on tuning days, used on judged ones."""
    return cheapest_with_room({price: cpu_target(frontier.cpu, baseline) for price, frontier in frontiers.items()})
