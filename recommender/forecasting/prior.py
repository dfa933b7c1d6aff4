"""What is known of a container before it is known: the use of similar containers, shrinking to its own as days come in.

The pooled use of the group counts like a quarter of a day beside a container's first day, and half as much with each day more: after one
day its share is a fifth, after two 3 %, after a week nothing. It stands for bursts that a container has not shown yet but its peers have
(an empirical Bayes prior). On days 15 to 44 of Bitbrains it saves 9 to 12 points of cores at equal unmet demand where only two days are
known; a quarter of a day that does not fade costs 1 to 3 points where four are known, and half a point where all are (docs/sizing.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.amounts import Floats
from recommender.forecasting.analogs import day_weights
from recommender.forecasting.forecast import Forecast, forecast
from recommender.forecasting.unseen import unseen_use
from recommender.remembering.history import BAND_SHARES, Window

PRIOR_DAYS: Final = 0.25
"""What the group counts beside one day."""
POINTS: Final = 200
"""Amounts that stand for the pooled use of a group."""


def pooled_use(of: Window) -> Floats:
    """Amounts of use that stand for a group of containers, equally likely; empty without a day."""
    known = of.known
    if not known.any():
        return np.zeros(0)
    use = of.cpu[known].reshape(-1)
    shares = np.tile(BAND_SHARES, int(known.sum()))
    order = np.argsort(use)
    running = shares[order].cumsum() / shares.sum()
    ranks = (np.arange(POINTS) + 1) / POINTS  # the upper end of each part: the highest use is among them
    amounts: Floats = use[order][np.minimum(np.searchsorted(running, ranks), len(use) - 1)]
    return amounts


def prior_use(of: Window, weights: Floats) -> tuple[Floats, Floats]:
    """The pooled use of the group beside each container's weighed days: PRIOR_DAYS, halved with each day after the first, over the days."""
    pooled = pooled_use(of)
    days = of.known.sum(axis=1)
    own = weights.sum(axis=1)
    counts = PRIOR_DAYS * np.exp2(1.0 - days)
    each = np.where(days > 0, own * counts / np.maximum(days, 1), 1.0) / max(1, len(pooled))
    shape = (len(weights), len(pooled))
    return np.broadcast_to(pooled, shape), np.broadcast_to(each[:, None], shape)


def forecast_with_prior(of: Window) -> Forecast:
    """Forecast of a group of similar containers: each from its own days, from days unlike those, and a little from all of them."""
    weights = day_weights(of)
    return forecast(of, weights, unseen_use(of, weights), prior_use(of, weights))
