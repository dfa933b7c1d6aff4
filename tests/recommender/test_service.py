"""The service ends with what went wrong, so that nobody takes it for one that was told to end."""

from __future__ import annotations

from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from recommender.service import RecommenderService
from recommender.settings import RecommenderSettings
from recommender.sources.observation import UsageSource
from stowplan.kube.client import ApiClient
from stowplan.serving.http import Drain


async def test_a_fault_of_ours_is_raised_once_the_service_has_ended() -> None:
    def no_source(*_: Any) -> UsageSource:
        return cast("UsageSource", None)

    settings = RecommenderSettings(metrics_port=0)
    drain = Drain()
    service = RecommenderService(settings, cast("ApiClient", None), no_source, CollectorRegistry())

    with pytest.raises(AttributeError):  # there is no API client to ask for the Lease
        await service.run(drain)
    assert drain.draining
