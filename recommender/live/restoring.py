"""Puts the fleet together again from checkpoints: first what the profiles hold, then the days and runs that were open."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from recommender.live.shards import Restored, WorkloadEntry, decode_shard, recording_of
from recommender.regression.regression import Watch
from recommender.regression.regression_codec import decode_watch, encode_watch
from recommender.remembering.history import History
from recommender.remembering.learned import Learned, Target, add_days, decode_learned, encode_learned
from recommender.remembering.open_sketches import OpenSketches
from recommender.workloads.fleet import FIRST_LOOKS_S, Fleet, Tracked
from stowplan.model.profile import WorkloadProfile
from stowplan.model.workload import WorkloadKey

log = logging.getLogger(__name__)

WORKLOAD: Final = "_workload"
"""Key in `status.checkpoint` beside the containers, whose names cannot begin with an underscore."""
WATCH: Final = "_watch"
"""Likewise: whether the workload fares worse since its size changed."""


class Damage(StrEnum):
    """What was lost of a checkpoint."""

    CONTAINER = "container"
    WORKLOAD = "workload"
    SHARD = "shard"
    RUN = "run"
    WATCH = "watch"
    INCIDENTS = "incidents"


class _WorkloadState(msgspec.Struct, array_like=True):
    by_runs: bool
    last_seen_s: int


def checkpoint_of(fleet: Fleet, tracked: Tracked) -> dict[str, str]:
    """What `status.checkpoint` of the workload's profile is to hold."""
    state = _WorkloadState(tracked.by_runs, tracked.last_seen_s)
    texts = {name: encode_learned(fleet.at(row)) for name, row in tracked.rows.items()}
    texts[WORKLOAD] = base64.b64encode(msgspec.msgpack.encode(state)).decode()
    watch = encode_watch(tracked.watch)
    return {**texts, WATCH: watch} if watch else texts


class Restorer:
    """Restores one fleet. Checkpoints that are damaged or foreign are reported and learned again, never fatal.

    Args:
        fleet: an empty one.
        lost: told of each part that could not be read.
    """

    def __init__(self, fleet: Fleet, lost: Callable[[Damage], None] = lambda _: None) -> None:
        self._fleet = fleet
        self._lost = lost

    def add_profile(self, profile: WorkloadProfile, digest: bytes = b"") -> None:
        """Take over the histories of a written profile, and what it recommends; `digest` is what it is recognised by."""
        if not profile.checkpoint or self._fleet.containers + len(profile.checkpoint) > self._fleet.limit:
            return
        key = WorkloadKey(*profile.key)
        state = self._state(key, profile.checkpoint.get(WORKLOAD, ""))
        last_seen_s = state.last_seen_s if state else profile.updated_s
        tracked = Tracked(key, profile.api_version, state.by_runs if state else False, last_seen_s=last_seen_s)
        tracked.saved_version = tracked.version
        tracked.urgent, tracked.digest = not profile.recommendations, digest
        tracked.written_s, tracked.looks = profile.updated_s, len(FIRST_LOOKS_S)
        tracked.watch = self._watch(key, profile.checkpoint.get(WATCH, ""))
        for container, text in profile.checkpoint.items():
            if container not in (WORKLOAD, WATCH):
                self._fleet.adopt(tracked, container, self._learned(f"{key}/{container}", text))
        for of_class in profile.recommendations:
            for one in of_class.containers:
                if one.name in tracked.rows:
                    targets = self._fleet.at(tracked.rows[one.name]).slow.targets
                    known = targets.get(of_class.workload_class, Target(0, 0, 0, 0))
                    known.cpu, known.memory = one.target.get("cpu", 0), one.target.get("memory", 0)
                    targets[of_class.workload_class] = known
        self._fleet.workloads[key] = tracked

    def _state(self, key: WorkloadKey, text: str) -> _WorkloadState | None:
        try:
            return msgspec.msgpack.decode(base64.b64decode(text, validate=True), type=_WorkloadState)
        except (binascii.Error, msgspec.DecodeError) as error:
            self._report(Damage.WORKLOAD, f"{key}: {error}")
            return None

    def _watch(self, key: WorkloadKey, text: str) -> Watch:
        try:
            return decode_watch(text)
        except ValueError as error:
            self._report(Damage.WATCH, f"{key}: {error}")
            return Watch()

    def _learned(self, what: str, text: str) -> Learned:
        try:
            return decode_learned(text)
        except ValueError as error:
            self._report(Damage.CONTAINER, f"{what}: {error}")
            return Learned()

    def add_shard(self, name: str, text: str) -> int:
        """Take over what was open in a shard; when it was written (Unix seconds), 0 where it cannot be read."""
        try:
            restored = decode_shard(text)
        except ValueError as error:
            self._report(Damage.SHARD, f"{name}: {error}")
            return 0
        self._fleet.closed_through = max(self._fleet.closed_through, restored.shard.closed_through)
        container, run_row = 0, 0
        for entry in restored.shard.workloads:
            runs = sum(len(run.containers) for run in entry.runs)
            if self._fleet.containers + len(entry.containers) <= self._fleet.limit:
                self._add_entry(entry, restored, container, run_row)
            container, run_row = container + len(entry.containers), run_row + runs
        return restored.shard.written_s

    def _add_entry(self, entry: WorkloadEntry, restored: Restored, container: int, run_row: int) -> None:
        tracked = self._fleet.workloads.get(entry.key)
        if tracked is None:
            tracked = self._fleet.workloads[entry.key] = Tracked(entry.key, entry.api_version, entry.by_runs)
        tracked.last_seen_s = max(tracked.last_seen_s, entry.last_seen_s)
        if entry.watch:
            tracked.watch = self._watch(entry.key, entry.watch)
        for position, one in enumerate(entry.containers, container):
            row = tracked.rows.get(one.name)
            if row is None:
                row = self._fleet.adopt(tracked, one.name, Learned())
            learned = self._fleet.at(row)
            if one.slow is not None and one.slow.as_of_s >= learned.slow.as_of_s:
                learned.slow = one.slow
                tracked.version = tracked.saved_version + 1
            if one.closed:
                self._add_closed(learned, one.closed, f"{entry.key}/{one.name}")
            for day, sketches in restored.days.items():
                if not (entry.by_runs or learned.slow.init) and day > learned.newest:
                    self._open(day).merge(row, sketches, position)
        self._add_runs(entry, restored, run_row)
        self._add_starts(entry)

    def _add_runs(self, entry: WorkloadEntry, restored: Restored, run_row: int) -> None:
        for run in entry.runs:
            for name in run.containers:
                row = self._fleet.run_row(entry.key, run.pod, name, run.started_s, run.last_s)
                self._fleet.run_sketches.merge(row, restored.runs, run_row)
                run_row += 1

    def _add_starts(self, entry: WorkloadEntry) -> None:
        for start in entry.starts:
            try:
                recording = recording_of(start, entry.key)
            except ValueError as error:
                self._report(Damage.RUN, str(error))
            else:
                self._fleet.starts.recordings[entry.key.namespace, start.pod, start.container] = recording

    def _add_closed(self, learned: Learned, text: str, what: str) -> None:
        try:
            add_days(learned.history, History.from_checkpoint(text), learned.slow.runs)
        except ValueError as error:
            self._report(Damage.CONTAINER, f"{what}: {error}")

    def _open(self, day: int) -> OpenSketches:
        """The sketches of a day, be it closed for new samples: what a crash left open is closed next."""
        return self._fleet.days.setdefault(day, OpenSketches())

    def _report(self, what: Damage, message: str) -> None:
        self._lost(what)
        log.warning("checkpoint of a %s cannot be used and is learned again: %s", what, message)
