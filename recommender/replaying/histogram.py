"""Histograms with exponential buckets and exponential decay, as the Vertical Pod Autoscaler computes them.

Bucket n starts at first * (ratio^n - 1) / (ratio - 1); a percentile is read out as the end of its bucket, without interpolation;
a sample of age a weighs 2^(-a / half-life). Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/util
(histogram_options.go, histogram.go, decaying_histogram.go). The code here is our own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

EPSILON: Final = 0.001 * 0.1
"""A bucket with less weight counts as empty (aggregations_config.go)."""


@dataclass(frozen=True)
class Buckets:
    """Exponential buckets: the first is [0, first), each next one is `ratio` times as wide; the last start is at least `maximum`."""

    first: float
    ratio: float
    maximum: float

    @cached_property
    def count(self) -> int:
        """Number of buckets."""
        return math.ceil(math.log(self.maximum * (self.ratio - 1) / self.first + 1) / math.log(self.ratio)) + 1

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """Where each bucket starts."""
        powers = np.power(self.ratio, np.arange(self.count, dtype=np.float64))
        return self.first * (powers - 1) / (self.ratio - 1)

    def index(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bucket of each value; values beyond the range fall into the first or the last bucket."""
        scaled = np.maximum(values, 0.0) * (self.ratio - 1) / self.first + 1
        found = np.floor(np.log(scaled) / math.log(self.ratio)).astype(np.int64)
        return np.where(values < self.first, 0, np.minimum(found, self.count - 1))


VPA_CPU: Final = Buckets(10.0, 1.05, 1_000_000.0)
"""Millicores; 176 buckets."""
VPA_MEMORY: Final = Buckets(1e7, 1.05, 1e12)
"""Bytes; 176 buckets."""


class DecayingHistograms:
    """One decaying histogram per row; all share buckets and half-life."""

    def __init__(self, buckets: Buckets, half_life_s: float, rows: int) -> None:
        self.buckets = buckets
        self.half_life_s = half_life_s
        self.weights: NDArray[np.float64] = np.zeros((rows, buckets.count))
        self._reference_s = 0.0

    def add(
        self, rows: NDArray[np.int64], values: NDArray[np.float64], t_s: NDArray[np.int64], weight: float = 1.0
    ) -> None:
        """Add samples; a negative weight takes away a sample that was added before."""
        if not len(rows):
            return
        newest = float(t_s.max())
        if newest - self._reference_s > 100 * self.half_life_s:  # keep the exponents small, as the source does
            self.weights *= 2.0 ** max(-1000.0, (self._reference_s - newest) / self.half_life_s)
            self._reference_s = newest
        factors = weight * 2.0 ** ((t_s - self._reference_s) / self.half_life_s)
        np.add.at(self.weights, (rows, self.buckets.index(values)), factors)
        if weight < 0:
            np.maximum(self.weights, 0.0, out=self.weights)

    def percentile(self, share: float) -> NDArray[np.float64]:
        """End of the bucket that holds the given share (0..1) of the weight, by row; NaN for an empty row."""
        return read_percentile(self.buckets, self.weights, share)


def read_percentile(buckets: Buckets, weights: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """End of the bucket at which the running sum of weights reaches `share` of the total; NaN for a row without weight."""
    running = weights.cumsum(axis=1)
    total = running[:, -1:]
    reached = (running >= share * total * (1 - 1e-12)).argmax(axis=1)  # the tolerance of a sum of floats
    ends = buckets.starts[np.minimum(reached + 1, buckets.count - 1)]
    return np.where(total[:, 0] > 0, ends, np.nan)
