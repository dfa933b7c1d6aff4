"""Do nothing: the requests that were recorded beside the usage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.replaying.strategy import Requests, whole
from recommender.replaying.usage import Usage


class AsProvisioned:
    """What was provisioned on the day itself (it was known before the day began); NaN where the recording does not say."""

    def __init__(self, usage: Usage) -> None:
        self._cpu = whole(usage.daily_max(usage.cpu_provisioned))
        self._memory: Floats = whole(usage.daily_max(usage.memory_provisioned))

    def recommend(self, day: int) -> Requests:
        """The provisioned amounts; memory limit = request."""
        return Requests(self._cpu[:, day], self._memory[:, day], self._memory[:, day])

    def observe(self, day: int, requests: Requests, breached: NDArray[np.bool_]) -> None:
        """Nothing is learned."""
