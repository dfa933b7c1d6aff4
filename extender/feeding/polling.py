"""Reading now and then what no watch delivers, in the background: an absent API is normal, a failure is counted, nobody waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stowplan.kube.errors import ApiError, KubeError

log = logging.getLogger(__name__)

_ABSENT: Final = frozenset({403, 404, 503})
"""Not allowed, not installed, or registered without anything behind it (an aggregated API)."""
_ABSENT_FACTOR: Final = 4
"""An absent API is asked for this much more rarely."""
_LOST_AFTER: Final = 4
"""Failures in a row after which what was read last is given up."""


class PollOutcome(StrEnum):
    """What became of one reading; a label of the metrics."""

    READ = "read"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Source:
    """Something to be read. `read` stores what it finds and may raise `KubeError` or ValueError; `lose` forgets it."""

    name: str
    read: Callable[[], Awaitable[None]]
    lose: Callable[[], None]


class Poll:
    """Reads one source for ever.

    Args:
        source: what is read.
        every_s: seconds between two readings.
        count: told of each outcome.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        source: Source,
        every_s: float,
        count: Callable[[str, PollOutcome], object],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._every_s = every_s
        self._count = count
        self._sleep = sleep
        self._failures = 0
        self._last: PollOutcome | None = None

    async def run(self) -> None:
        """Read, wait, again."""
        while True:
            outcome = await self.once()
            await self._sleep(self._every_s * (_ABSENT_FACTOR if outcome is PollOutcome.ABSENT else 1))

    async def once(self) -> PollOutcome:
        """One reading; never raises but for cancellation."""
        try:
            await self._source.read()
        except ApiError as error:
            outcome = PollOutcome.ABSENT if error.status in _ABSENT else PollOutcome.FAILED
            self._tell(outcome, error)
        except (KubeError, ValueError) as error:
            outcome = PollOutcome.FAILED
            self._tell(outcome, error)
        else:
            outcome = PollOutcome.READ
            self._tell(outcome, None)
        self._failures = 0 if outcome is PollOutcome.READ else self._failures + 1
        if outcome is PollOutcome.ABSENT or self._failures == _LOST_AFTER:
            self._source.lose()
        self._count(self._source.name, outcome)
        return outcome

    def _tell(self, outcome: PollOutcome, error: Exception | None) -> None:
        """Log changes only: what is absent today is absent every minute."""
        if outcome is not self._last:
            log.info("%s: %s%s", self._source.name, outcome.value, f" ({error})" if error else "")
            self._last = outcome
