"""The Lease by which the webhook knows that gates are taken away: renewed every second, stale after three.

It is no election: whoever stands beside the leading scheduler renews it. Nothing depends on there being one holder, because a gate may be
taken away by anybody, and more than once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from stowplan.kube.client import ApiClient
from stowplan.kube.paths import LEASES
from stowplan.model.keys import GATE_LEASE, SYSTEM_NAMESPACE

RENEW_SECONDS: Final = 1.0
DURATION_SECONDS: Final = 3
"""For so long after the last renewal that it saw, a webhook goes on adding gates."""
MANAGER: Final = "stowplan-gates"
"""Field manager."""


class GateLease:
    """Writes the Lease.

    Args:
        api: an open client.
        identity: of this process, for people.
        now: the time, in UTC; the webhook takes any change of it for a renewal.
    """

    def __init__(self, api: ApiClient, identity: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api = api
        self._identity = identity
        self._now = now

    async def renew(self) -> None:
        """Say that gates are taken away.

        Raises:
            KubeError: the API server refuses or does not answer.
        """
        await self._write(self._identity)

    async def give_up(self) -> None:
        """Say that they are not, from now on. Raises as `renew` does."""
        await self._write("")

    async def _write(self, holder: str) -> None:
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        metadata = {"name": GATE_LEASE, "namespace": SYSTEM_NAMESPACE}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        await self._api.apply(LEASES.path(SYSTEM_NAMESPACE, GATE_LEASE), body, MANAGER, force=True)
