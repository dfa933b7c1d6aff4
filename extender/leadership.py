"""Whether the scheduler beside us leads. Only then may this process write: two replicas must not nominate for one scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from stowplan.kube.client import ApiClient
from stowplan.kube.errors import KubeError, NotFound
from stowplan.kube.paths import LEASES
from stowplan.model.keys import SCHEDULER_NAME, SYSTEM_NAMESPACE

log = logging.getLogger(__name__)

TRUST_SECONDS: Final = 10.0
"""A Lease that could not be read for this long says nothing any more; kube-scheduler gives up its own after as long (renewDeadline)."""


class Leadership:
    """Reads the scheduler's Lease; its holder is `<hostname>_<uuid>`, and containers of one pod share a hostname.

    Args:
        api: an open client.
        hostname: ours.
        clock: monotonic seconds.
    """

    def __init__(self, api: ApiClient, hostname: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._hostname = hostname
        self._clock = clock
        self._leads = False
        self._read_at = float("-inf")

    @property
    def leads(self) -> bool:
        """Whether our scheduler led when the Lease was read last, and that was not long ago."""
        return self._leads and self._clock() - self._read_at <= TRUST_SECONDS

    async def refresh(self) -> None:
        """Read the Lease. Without one the scheduler runs without election, and is the only one."""
        try:
            lease = await self._api.get(LEASES.path(SYSTEM_NAMESPACE, SCHEDULER_NAME))
        except NotFound:
            self._leads = True
        except KubeError as error:
            log.warning("the scheduler's Lease could not be read: %s", error)
            return
        else:
            holder = (lease.get("spec") or {}).get("holderIdentity") or ""
            self._leads = holder.rpartition("_")[0] == self._hostname
        self._read_at = self._clock()
