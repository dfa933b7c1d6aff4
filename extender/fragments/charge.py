"""What GPU that becomes unusable is charged, as time for which its node is paid (`extender.scoring.expected_cost`).

Where an autoscaler removes empty nodes it is money like the time for which a pod keeps a node in use: the GPU's part of the node's price,
for as long as is looked ahead. Where nodes stay they are paid for anyway, so that time costs nothing, and what counts is which pods still
find room: it is charged 200 times, which leaves the time to decide among equals. The factor was chosen on openb, seeds 1 to 4
(docs/simulate.md); 1 is reasoned, not measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from extender.fragments.room import Floats, Ints
from extender.lifetimes.survival import EDGES
from extender.scoring.expected_cost import CS

HORIZON_CS: Final = round(float(EDGES[-1])) * CS
"""Hundredths of a second that are looked ahead: three days."""
WHERE_NODES_GO: Final = 1
WHERE_NODES_STAY: Final = 200
_MOST: Final = 1 << 59
"""Micro-dollars an hour times hundredths of a second: far below what sets nodes apart that are starved or would open."""


def charged_cs(price: Ints, share: Floats, *, stay: bool) -> Ints:
    """By node, hundredths of a second charged for a share of its GPUs that becomes unusable; negative for one that is of use again.

    Args:
        price: micro-dollars an hour.
        share: of the node's GPUs.
        stay: whether nodes stay when they are empty.
    """
    weight = WHERE_NODES_STAY if stay else WHERE_NODES_GO
    most = _MOST // np.maximum(price, 1)
    charged: Ints = np.clip(np.rint(weight * HORIZON_CS * share).astype(np.int64), -most, most)
    return charged
