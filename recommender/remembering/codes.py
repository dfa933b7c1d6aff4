"""Positive amounts in two bytes: logarithmic codes with a relative error of at most 0.03 %.

Code 0 is zero (and anything below 0.001), 65535 is missing; the range ends at 1.2e14, so millicores and bytes both fit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats

Codes = NDArray[np.uint16]

MISSING: Final = 65_535
_SMALLEST: Final = 1e-3
_STEP: Final = 0.0006


def encode(values: Floats) -> Codes:
    """Codes of amounts; NaN becomes MISSING, amounts beyond the range its end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        code = 1 + np.rint(np.log(values / _SMALLEST) / _STEP)
    bounded = np.clip(np.where(values < _SMALLEST, 0, code), 0, MISSING - 1)
    return np.where(np.isfinite(values), bounded, MISSING).astype(np.uint16)


def decode(codes: Codes) -> Floats:
    """Amounts of codes; MISSING becomes NaN."""
    return _TABLE[codes]


_TABLE: Final[Floats] = np.concatenate(
    ([0.0], _SMALLEST * np.exp(np.arange(MISSING - 1, dtype=np.float64) * _STEP), [np.nan])
)
