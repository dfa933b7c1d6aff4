"""The distribution of tomorrow's CPU use, and the requests that follow from it for a price of risk or for a stated risk.

A forecast is the weighted mixture of remembered days. For a request r it predicts the overrun share P(use > r) and the unmet demand
E max(0, use - r). Minimising r + E max(0, use - r) / risk gives P(use > r) = risk: the newsvendor's rule, which spends each core where it
avoids most unmet demand across a fleet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.remembering.history import BAND_SHARES, Window


@dataclass(frozen=True)
class Forecast:
    """Sorted amounts of use with what is predicted beyond each; rows are containers."""

    use: Floats
    """(containers, points) millicores, ascending."""
    overrun: Floats
    """Predicted share of time with use above the point."""
    unmet: Floats
    """Predicted mean use above the point, millicores."""
    mean: Floats
    """(containers,) predicted mean use, millicores."""

    def first(self, enough: NDArray[np.bool_]) -> Floats:
        """The smallest point of each row at which `enough` holds; the largest point where it never does."""
        found = np.where(enough.any(axis=1), enough.argmax(axis=1), enough.shape[1] - 1)
        amounts: Floats = self.use[np.arange(len(self.use)), found]
        return amounts


def forecast(of: Window, weights: Floats, *imagined: tuple[Floats, Floats]) -> Forecast:
    """Mixture of the days of a window by their weights; NaN rows for containers without any weight.

    `imagined` use takes part beside the remembered days: pairs of amounts (millicores) and their weights, (containers, points) each.
    """
    containers = len(weights)
    shares = (weights[:, :, None] * BAND_SHARES).reshape(containers, -1)
    amounts = of.cpu.reshape(containers, -1)
    if imagined:
        amounts = np.concatenate([amounts, *(more for more, _ in imagined)], axis=1)
        shares = np.concatenate([shares, *(more for _, more in imagined)], axis=1)
    total = shares.sum(axis=1, keepdims=True)
    shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    use = np.where(shares > 0, amounts, 0.0)
    order = np.argsort(use, axis=1)
    use, shares = np.take_along_axis(use, order, 1), np.take_along_axis(shares, order, 1)
    load = use * shares
    mean = load.sum(axis=1)
    overrun = np.maximum(1.0 - shares.cumsum(axis=1), 0.0)
    unmet = np.maximum(mean[:, None] - load.cumsum(axis=1) - use * overrun, 0.0)
    use[total[:, 0] <= 0] = np.nan
    return Forecast(use, overrun, unmet, np.where(total[:, 0] > 0, mean, np.nan))


def at_price(of: Forecast, risk: float, overrun_price: float) -> Floats:
    """The request with the least cost r + unmet / risk + overrun_price x overrun share, in millicores.

    `overrun_price` is what a certain overrun costs, in millicores: it protects small containers, for which headroom is cheap.
    """
    cost = of.use + of.unmet / risk + overrun_price * of.overrun
    return of.first(cost <= np.nanmin(cost, axis=1, initial=np.inf)[:, None])


def within_risk(of: Forecast, overrun: Floats, unmet: Floats) -> Floats:
    """The smallest request whose predicted overrun share and unmet demand (share of use) keep within bounds by container.

    Overrun is a percentile of time, unmet demand one of load: each unit of use counts at its own height, and the request is the height
    below which 1 - `unmet` of all work is done. (Autopilot's load-adjusted percentile lays all work of a moment to its highest unit.)
    """
    return of.first((of.overrun <= overrun[:, None] + 1e-12) & (of.unmet <= (unmet * of.mean)[:, None] + 1e-12))


def percentile(of: Forecast, share: float) -> Floats:
    """The use that is not exceeded for `share` of the time, millicores."""
    return of.first(of.overrun <= 1 - share + 1e-12)
