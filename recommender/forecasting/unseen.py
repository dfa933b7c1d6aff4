"""Days unlike any that was seen: how likely one is after n days, and how much larger.

If days are exchangeable, the next one exceeds all n before it with probability 1 / (n + 1) (Renyi's law of records). On days 15 to 44 of
the Bitbrains recording daily memory peaks do so on 48.9 %, 25.0 %, 13.0 % and 7.6 % of days after n = 1, 3, 7 and 14 days, where the law
says 50 %, 25 %, 12.5 % and 6.7 %. Most new records are small; the rest, 0.4 / (n + 1) of all days and at least 1 %, have a heavy tail:
P(day > x times the highest) = x^-1.2. The two constants are those days' too: with them a memory limit for a stated probability of a
breach keeps it with one, three, seven and all days of history (docs/sizing.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.remembering.history import BAND_SHARES, Window

RECORD_SHARE: Final = 0.4
LEAST_SHARE: Final = 0.01
EXPONENT: Final = 1.2
LARGEST: Final = 8.0
"""No larger day is imagined, times the highest (CPU: the typical) one seen."""
_POINTS: Final = 6
_RANKS: Final[Floats] = (np.arange(_POINTS) + 0.5) / _POINTS
FACTORS: Final[Floats] = np.minimum(_RANKS ** (-1 / EXPONENT), LARGEST)
"""Equally likely factors of an unseen day."""


def unseen_share(days: NDArray[np.int64]) -> Floats:
    """Probability of a day unlike all seen, after so many days."""
    share: Floats = np.maximum(LEAST_SHARE, RECORD_SHARE / (days + 1.0))
    return share


def unseen_use(of: Window, weights: Floats) -> tuple[Floats, Floats]:
    """Amounts of CPU use on unseen days, (containers, points), and their weights beside the weights of the remembered days.

    An unseen day has the shape of the typical remembered one (mean of each band), times FACTORS. Containers without a weighed day get none.
    """
    total = weights.sum(axis=1)
    seen = np.where(weights[:, :, None] > 0, of.cpu, 0.0)
    typical = (seen * weights[:, :, None]).sum(axis=1) / np.maximum(total, 1e-300)[:, None]
    amounts = (typical[:, None, :] * FACTORS[None, :, None]).reshape(len(weights), -1)
    share = unseen_share((weights > 0).sum(axis=1))
    each = total * share / (1 - share) / _POINTS
    return amounts, (
        each[:, None, None] * np.broadcast_to(BAND_SHARES, (len(weights), _POINTS, len(BAND_SHARES)))
    ).reshape(len(weights), -1)
