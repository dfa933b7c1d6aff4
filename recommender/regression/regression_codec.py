"""A watch of the step back as small JSON for a checkpoint, and back: about 1 KB, whatever the workload's age."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from recommender.regression.rate_change import SPANS, Counts, Hour, Shares, Tally
from recommender.regression.regression import Sizes, Watch
from stowplan.model.profile import Regression, Signal

_FORMAT: Final = 1
_DIGITS: Final = 9
"""Significant digits of tallies, which fade and are therefore not whole."""
_PERMILLION: Final = 1_000_000


def watch_state(watch: Watch) -> dict[str, Any]:
    """The watch as values that JSON can hold."""
    halt = watch.regression
    return {
        "format": _FORMAT,
        "sizes": {
            "good": _sizes_state(watch.good),
            "previous": _sizes_state(watch.previous),
            "current": _sizes_state(watch.current),
        },
        "applied": watch.applied_s,
        "changed": watch.changed_s,
        "usual": _tally_state(watch.usual),
        "since": _tally_state(watch.since),
        "recent": [
            [_rounded(h.containers), h.oom_killed, h.restarted, _share_state(h.throttled)] for h in watch.recent
        ],
        "regression": None
        if halt is None
        else [str(halt.signal), halt.since_s, halt.until_s, halt.message, halt.step, watch.careful_applied],
    }


def watch_of(state: Mapping[str, Any]) -> Watch:
    """The watch of a checkpoint.

    Raises:
        ValueError: the state is of another format or damaged; the workload's usual then has to be learned again.
    """
    if state.get("format") != _FORMAT:
        raise ValueError(f"watch format {state.get('format')!r} is not {_FORMAT}; drop it and learn again")
    try:
        return _watch_of(state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"watch is damaged ({type(error).__name__}: {error}); drop it and learn again") from error


def encode_watch(watch: Watch) -> str:
    """A watch as text for a checkpoint; empty for one that knows nothing."""
    return "" if watch == Watch() else json.dumps(watch_state(watch), separators=(",", ":"))


def decode_watch(text: str) -> Watch:
    """What `encode_watch` wrote. Raises ValueError where it is damaged."""
    if not text:
        return Watch()
    state = json.loads(text)
    return watch_of(state if isinstance(state, dict) else {})


def _watch_of(state: Mapping[str, Any]) -> Watch:
    sizes, halt = state["sizes"], state["regression"]
    return Watch(
        good=_sizes(sizes["good"]),
        previous=_sizes(sizes["previous"]),
        current=_sizes(sizes["current"]),
        applied_s=int(state["applied"]),
        changed_s=int(state["changed"]),
        usual=_tally(state["usual"]),
        since=_tally(state["since"]),
        recent=tuple(_hour(values) for values in state["recent"])[-SPANS.stop + 1 :],
        regression=None if halt is None else _regression(halt),
        careful_applied=halt is not None and bool(halt[5]),
    )


def _regression(values: Sequence[Any]) -> Regression:
    signal, since, until, message, step, _ = values
    return Regression(Signal(signal), int(since), int(until), str(message), int(step))


def _sizes_state(sizes: Sizes) -> dict[str, list[int]]:
    return {name: list(amounts) for name, amounts in sizes.items()}


def _sizes(state: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
    return {str(name): (int(cpu), int(memory)) for name, (cpu, memory) in state.items()}


def _tally_state(tally: Tally) -> list[list[float]]:
    counts = [
        [_rounded(v) for v in (c.hours, c.exposure, c.events, c.squares, c.eventful)]
        for c in (tally.oom_kills, tally.restarts)
    ]
    shares = tally.throttling
    return [*counts, [_rounded(v) for v in (shares.hours, shares.total, shares.squares)]]


def _tally(state: Sequence[Sequence[float]]) -> Tally:
    oom_kills, restarts, throttling = ([_amount(v) for v in values] for values in state)
    return Tally(Counts(*oom_kills), Counts(*restarts), Shares(*throttling))


def _hour(values: Sequence[Any]) -> Hour:
    containers, oom_killed, restarted, throttled = values
    share = math.nan if throttled is None else _amount(throttled) / _PERMILLION
    return Hour(_amount(containers), int(oom_killed), int(restarted), share)


def _amount(value: Any) -> float:
    amount = float(value)
    if not 0 <= amount < math.inf:
        raise ValueError(f"{value!r} is not an amount")
    return amount


def _share_state(share: float) -> int | None:
    return None if math.isnan(share) else round(share * _PERMILLION)


def _rounded(value: float) -> float:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
