"""The process ends with what went wrong, so that nobody takes it for one that was told to end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stowplan.kube.connection import Connection
from webhook.__main__ import run
from webhook.self_signed import ensure_self_signed
from webhook.settings import WebhookSettings
from webhook.watches import ClusterFeed


async def test_without_its_feeds_the_webhook_ends_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: ClusterFeed) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(ClusterFeed, "run", broken)
    ensure_self_signed(tmp_path, "127.0.0.1", datetime.now(UTC))
    settings = WebhookSettings(port=0, metrics_port=0, tls_dir=str(tmp_path), drain_seconds=0)

    with pytest.raises(RuntimeError, match="a fault of ours"):
        await run(settings, Connection("http://127.0.0.1:1"))
