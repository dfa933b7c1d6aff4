"""The list-then-watch protocol as a state machine without I/O.

```text
            page, more to come                  event, bookmark: version moves on
               +------+                            +------+
               v      |        last page           v      |      clean close: same version
    start --> LIST ---+---------------------->  WATCH  ---+---> WATCH
               ^                                  |
               +------------ 410 Gone -----------+      other failures: wait, then the same step again
```

The driver (`stowplan.kube.reflector`) asks `next_step`, does it, and reports what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stowplan.kube.errors import ApiError, Gone, KubeError, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from stowplan.kube.codec import ListMeta

MIN_DELAY: Final = 0.1
"""Seconds. Shortest wait after a failure."""
MAX_DELAY: Final = 30.0
"""Seconds. Longest wait, as in client-go's reflector."""
MAX_RETRY_AFTER: Final = 60.0
"""Seconds. Bound of what a server's Retry-After can make us wait."""
STABLE_SECONDS: Final = 5.0
"""A watch open this long was a success even when nothing happened in it."""
_SAME_PLACE_TRIES: Final = 3
"""After so many refusals in a row at one version (or continue token) the list starts again: a version from
before a restore of etcd lies in the future and would be refused for ever."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Get a page; no token means the first one, with which collecting starts anew."""

    continue_token: str | None


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch from this version on."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for this many seconds."""

    seconds: float


Step = ListPage | Watch | Wait


class ListWatch:
    """Position in the protocol, and how often it failed lately.

    Failures of lists and of watches are counted apart: a list that works must not hide that every watch fails,
    or the two would chase each other without a pause.

    Args:
        random: uniform in [0, 1), for the jitter.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._version: str | None = None
        self._token: str | None = None
        self._delay = 0.0
        self._list_failures = 0
        self._watch_failures = 0

    @property
    def listing(self) -> bool:
        """Whether a list is to be made or continued."""
        return self._version is None

    def next_step(self) -> Step:
        """What to do now. A wait is handed out once."""
        if self._delay > 0:
            seconds, self._delay = self._delay, 0.0
            return Wait(seconds)
        return ListPage(self._token) if self._version is None else Watch(self._version)

    def page_received(self, meta: ListMeta) -> bool:
        """A page came; true when it was the last one and the list is complete."""
        if meta.continue_token:
            self._token = meta.continue_token
            return False
        self._token = None
        self._version = meta.resource_version
        self._list_failures = 0
        return True

    def event_received(self, resource_version: str) -> None:
        """An event or bookmark came: resume after it from now on."""
        if resource_version:
            self._version = resource_version
        self._watch_failures = 0

    def watch_closed(self, seconds_open: float) -> None:
        """The server ended the watch cleanly; one that ends at once, again and again, is slowed down."""
        if seconds_open >= STABLE_SECONDS:
            self._watch_failures = 0
            return
        self._watch_failures += 1
        if self._watch_failures > 1:
            self._delay = self._jitter(self._watch_failures)

    def failed(self, error: KubeError, seconds_open: float = 0.0) -> None:
        """The step failed. ``seconds_open`` is how long a watch had lasted."""
        failures = self._count(seconds_open)
        gone = isinstance(error, Gone)
        self._delay = 0.0 if gone and failures == 1 else self._jitter(failures)
        if isinstance(error, TooManyRequests) and error.retry_after is not None:
            self._delay = max(self._delay, min(error.retry_after, MAX_RETRY_AFTER))
        elif gone or (isinstance(error, ApiError) and failures >= _SAME_PLACE_TRIES):
            self.restart()

    def restart(self) -> None:
        """List from the beginning next."""
        self._version = None
        self._token = None

    def _count(self, seconds_open: float) -> int:
        if self.listing:
            self._list_failures += 1
            return self._list_failures
        self._watch_failures = 1 if seconds_open >= STABLE_SECONDS else self._watch_failures + 1
        return self._watch_failures

    def _jitter(self, failures: int) -> float:
        """Full jitter over an exponential ceiling: uniform between the least delay and 0.2 s * 2^n."""
        ceiling = min(MAX_DELAY, 2 * MIN_DELAY * 2.0 ** min(failures, 16))
        return MIN_DELAY + self._random() * (ceiling - MIN_DELAY)
