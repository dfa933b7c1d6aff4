"""What is answered to one admission request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stowplan.model.reasons import Outcome, Reason
from webhook.gating import Gate

_WARNING_CHARS = 120  # the API's advice; longer ones may be cut anywhere


@dataclass(frozen=True, slots=True)
class Verdict:
    """Always "allowed"; everything else says what was done and why."""

    outcome: Outcome
    reason: Reason
    why: str = ""
    """One sentence."""
    patch: Sequence[Mapping[str, Any]] = ()
    warnings: tuple[str, ...] = ()
    """For the user, of at most 120 characters each."""
    audit: Mapping[str, str] = field(default_factory=dict)
    """For the API server's audit log; it prefixes the keys with the webhook's name."""
    pod: Mapping[str, Any] | None = None
    """The pod after the patch, where there is one."""
    gate: Gate = Gate.NONE
    """What the patch does about the scheduling gate."""
    fault: Exception | None = field(default=None, compare=False)
    """Our own exception, for the log; it never reaches the API server."""


def shorten(warnings: Sequence[str]) -> tuple[str, ...]:
    """Warnings cut to the length the API advises, without repetition."""
    cut = (w if len(w) <= _WARNING_CHARS else f"{w[: _WARNING_CHARS - 3]}..." for w in warnings)
    return tuple(dict.fromkeys(cut))
