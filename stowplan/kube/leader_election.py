"""One active process by a Lease, as client-go's leader election does it: no clock but our own is trusted.

A holder that was not seen to renew for the Lease's duration, by our clock since we last saw it change, is taken to be gone. We call
ourselves the holder only until the renew deadline, which is shorter: whoever follows us starts after we have stopped. Writes carry the
resource version that was read, so that of two candidates one wins.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, KubeError, NotFound
from stowplan.kube.paths import LEASES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long things last, in seconds; the defaults are client-go's."""

    duration: float = 15.0
    """Others wait this long after the last renewal that they saw."""
    renew_deadline: float = 10.0
    """The holder stops this long after its last renewal. Less than `duration`: the difference covers writes on their way."""
    retry: float = 2.0
    """Between two tries to acquire or renew."""


DEFAULT_TERMS: Final = LeaseTerms()


class LeaderElection:
    """Acquires and renews one Lease.

    Args:
        api: an open client.
        namespace: of the Lease.
        name: of the Lease; it is created where there is none.
        identity: of this process, unique.
        terms: durations.
        clock: monotonic seconds.
        now: the time, in UTC, for the Lease's own fields (read by people, and by others only for changes).
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        api: ApiClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        terms: LeaseTerms = DEFAULT_TERMS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._collection = LEASES.path(namespace)
        self._path = LEASES.path(namespace, name)
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._terms = terms
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._seen: tuple[str, str] | None = None
        self._seen_at = float("-inf")
        self._held_until = float("-inf")
        self.losses = 0
        """How often the Lease was lost after it had been held."""

    @property
    def remaining(self) -> float:
        """Seconds for which the Lease is surely held; 0 where it is not."""
        return max(0.0, self._held_until - self._clock())

    @property
    def held(self) -> bool:
        """Whether this process may write now."""
        return self._clock() < self._held_until

    async def run(self) -> None:
        """Acquire and renew until cancelled."""
        while True:
            was = self._held_until > float("-inf")
            started = self._clock()
            try:
                got = await self._try(started)
            except (KubeError, TimeoutError) as error:
                log.warning("the Lease %s cannot be renewed: %s", self._path, str(error) or "no answer in time")
                got = self.held
            if was and not got:
                self.losses += 1
                self._held_until = float("-inf")
                log.error("the Lease %s is lost; no more is written", self._path)
            await self._sleep(self._terms.retry)

    async def wait_held(self) -> None:
        """Return once the Lease is held."""
        while not self.held:
            await self._sleep(self._terms.retry / 10)

    async def wait_lost(self) -> None:
        """Return once the Lease is not held any more."""
        while self.held:
            await self._sleep(min(self._terms.retry / 10, max(0.01, self.remaining)))

    async def release(self) -> None:
        """Give the Lease up, so that the next one need not wait; nothing happens where it is not held."""
        if not self.held:
            return
        self._held_until = float("-inf")
        try:
            lease = await self._api.get(self._path)
            if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                await self._api.replace(self._path, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        except KubeError as error:
            log.warning("the Lease %s could not be given up and runs out by itself: %s", self._path, error)

    async def _try(self, started: float) -> bool:
        """One attempt that began at `started`; whether the Lease is held now."""
        async with asyncio.timeout(self._terms.renew_deadline):
            try:
                lease = await self._api.get(self._path)
            except NotFound:
                body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata}
                await self._api.create(self._collection, {**body, "spec": self._spec({})})
                return self._hold(started)
            spec = lease.get("spec") or {}
            if not self._may_take(spec):
                return False
            try:
                await self._api.replace(self._path, {**lease, "spec": self._spec(spec)})
            except Conflict:  # somebody was faster, or kubectl touched it: the next look tells
                return self.held
            return self._hold(started)

    def _may_take(self, spec: dict[str, Any]) -> bool:
        holder = spec.get("holderIdentity") or ""
        record = (holder, str(spec.get("renewTime") or ""))
        if record != self._seen:
            self._seen, self._seen_at = record, self._clock()
        if holder in ("", self._identity):
            return True
        duration = float(spec.get("leaseDurationSeconds") or self._terms.duration)
        return self._clock() >= self._seen_at + duration

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = before.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._terms.duration)),
            "renewTime": now,
            "acquireTime": (before.get("acquireTime") or now) if mine else now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if mine or not before else 1),
        }

    def _hold(self, started: float) -> bool:
        if self._held_until == float("-inf"):
            log.info("the Lease %s is held as %s", self._path, self._identity)
        self._held_until = started + self._terms.renew_deadline
        return True
