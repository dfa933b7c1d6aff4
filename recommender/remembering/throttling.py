"""What a container would have used without its CPU limit."""

from __future__ import annotations

import math


def demand(used: float, limit: float, throttled_share: float) -> float:
    """Millicores wanted, given millicores used, the limit and the share (0..1) of CFS periods that were throttled.

    Use at the limit is censored. With an exponential tail of demand D, P(D > limit) = f gives a mean overshoot of limit / -ln f in the
    throttled periods, so E[D] = used + f x limit / -ln f (our derivation; the share is taken as at most 0.95).

    Raises:
        ValueError: a negative amount or a share outside 0..1.
    """
    if used < 0 or limit < 0 or not 0 <= throttled_share <= 1:
        raise ValueError(
            f"used {used}, limit {limit}, throttled share {throttled_share}: amounts >= 0, share 0..1 are needed"
        )
    if throttled_share == 0:
        return used
    share = min(throttled_share, 0.95)
    return used + share * limit / -math.log(share)
