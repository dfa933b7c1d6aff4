"""One holder at a time, whatever clocks say, and nobody writes after the Lease is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stowplan.kube.errors import Conflict, NotFound, Unreachable
from stowplan.kube.leader_election import LeaderElection


class _Server:
    """One Lease with optimistic concurrency, as far as leader election uses it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.broken = False
        self.version = 0

    async def get(self, _path: str) -> Any:
        if self.broken:
            raise Unreachable("down")
        if self.lease is None:
            raise NotFound(404, "NotFound", "no lease")
        return self.lease

    async def create(self, _path: str, body: Any) -> Any:
        if self.lease is not None:
            raise Conflict(409, "AlreadyExists", "there")
        return self._store(body)

    async def replace(self, _path: str, body: Any) -> Any:
        if self.broken:
            raise Unreachable("down")
        if self.lease is None or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "stale")
        return self._store(body)

    def _store(self, body: Any) -> Any:
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.lease


class _Stop(Exception):  # noqa: N818 - ends a loop that has no end
    pass


class _Candidate:
    """A candidate whose clock only moves when told to."""

    def __init__(self, server: _Server, identity: str) -> None:
        self.now = 1000.0
        self.election = LeaderElection(
            server,  # type: ignore[arg-type] # the calls it makes are there
            "stowplan-system",
            "x",
            identity,
            clock=lambda: self.now,
            now=lambda: datetime.fromtimestamp(self.now, UTC),
            sleep=self._stop,
        )

    async def _stop(self, _seconds: float) -> None:
        raise _Stop

    async def look(self, seconds: float = 0.0) -> bool:
        """One round after some seconds."""
        self.now += seconds
        with pytest.raises(_Stop):
            await self.election.run()
        return self.election.held


async def test_the_first_one_holds_and_the_second_waits_for_the_lease_to_run_out() -> None:
    server = _Server()
    one, two = _Candidate(server, "one"), _Candidate(server, "two")

    assert await one.look()
    assert not await two.look()
    assert await one.look(2)
    assert not await two.look(14)  # renewed in between: the time counts from when it was seen
    assert not await two.look(14.9)
    assert await two.look(0.1)
    assert server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == "two"
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_who_cannot_renew_stops_before_anybody_else_may_begin() -> None:
    server = _Server()
    one = _Candidate(server, "one")
    assert await one.look()
    server.broken = True

    assert await one.look(9.9)
    assert one.election.remaining == pytest.approx(0.1)
    one.now += 0.1
    assert not one.election.held  # by its own clock, without a call
    assert not await one.look()
    assert one.election.losses == 1


async def test_the_loser_of_a_race_does_not_hold() -> None:
    server = _Server()
    one, two = _Candidate(server, "one"), _Candidate(server, "two")
    await one.look()
    assert server.lease is not None
    server.lease["spec"]["holderIdentity"] = ""
    stale = dict(server.lease)
    assert await two.look()
    fresh, server.lease = server.lease, stale
    three = _Candidate(server, "three")

    async def stored_meanwhile(_path: str, body: Any) -> Any:
        server.lease = fresh
        return await _Server.replace(server, _path, body)

    server.replace = stored_meanwhile  # type: ignore[method-assign] # the race
    assert not await three.look()


async def test_giving_up_lets_the_next_one_begin_at_once() -> None:
    server = _Server()
    one, two = _Candidate(server, "one"), _Candidate(server, "two")
    await one.look()
    await one.election.release()

    assert not one.election.held
    assert await two.look()
    await one.election.release()  # not held: somebody else's Lease is left alone
    assert server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == "two"
