"""The recommender as a process that learns recorded usage by a clock of the test (`-m tests.support.recorded_recommender FOLDER ...`).

FOLDER holds `usage.jsonl` (a sample a line, appended by the test) and `now` (Unix seconds); all else are flags of the recommender.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from recommender.service import RecommenderService
from recommender.settings import RecommenderSettings
from recommender.sources.observation import UsageSample
from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.serving.http import Drain
from stowplan.serving.logs import configure_logging
from stowplan.serving.metrics import new_registry
from stowplan.serving.settings import load_settings, parse_flags


class RecordedSource:
    """Delivers the lines of a file that are complete and were not delivered yet, those before this process began included."""

    name = "recorded"

    def __init__(self, path: Path, *, skip: int = 0) -> None:
        self._path = path
        self._lines = skip

    async def poll(self) -> Sequence[UsageSample]:
        """What was appended since the last call."""
        lines = self._path.read_bytes().splitlines(keepends=True)[self._lines :]
        whole = [line for line in lines if line.endswith(b"\n")]
        self._lines += len(whole)
        return [msgspec.json.decode(line, type=UsageSample) for line in whole]

    async def back_fill(self, since_s: int, until_s: int) -> AsyncIterator[Sequence[UsageSample]]:
        """Nothing."""
        del since_s, until_s
        past: tuple[Sequence[UsageSample], ...] = ()
        for batch in past:
            yield batch


async def main(folder: Path, argv: Sequence[str]) -> None:
    """Run until SIGTERM; what is in the file at the start counts as delivered to the process before."""
    flags = parse_flags(RecommenderSettings, argv, program="recorded")
    settings = load_settings(RecommenderSettings, {}, flags)
    configure_logging(settings.log_level)
    usage, now = folder / "usage.jsonl", folder / "now"
    source = RecordedSource(usage, skip=usage.read_bytes().count(b"\n"))
    drain = Drain()
    drain.on_signals()
    async with ApiClient(Connection.resolve(settings.kubeconfig)) as api:
        service = RecommenderService(
            settings, api, lambda _api, _metrics: source, new_registry(), clock=lambda: float(now.read_text("ascii"))
        )
        await service.run(drain)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
