"""Time, memory and checkpoint volume of the live fleet: 10,000 workloads of 3 containers, eight weeks of history and an open day each.

Everything that the service does but talking to an API server: taking in a minute of samples, a pass under all classes with the profiles
that come of it, closing the day, and the open-day checkpoints. `python -m perf.sizing.live_fleet [WORKLOADS]` prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from perf.sizing.scale import CONTAINERS, TODAY, WORKLOADS, histories, peak_kib
from recommender.live.closing import Terms, close_day
from recommender.live.feeding import Feeder, Place
from recommender.live.fleet_pass import Case, FleetPass
from recommender.live.last_memory import LastMemory
from recommender.live.profiles import digest, profile_of, with_checkpoint
from recommender.live.shards import encode_shard
from recommender.remembering.learned import Learned
from recommender.remembering.open_sketches import Batch
from recommender.sizing.peers import Peers
from recommender.sizing.prices import list_prices
from recommender.sources.intake import Intake
from recommender.sources.observation import UsageSample
from recommender.workloads.fleet import GRACE_S, SHARDS, Fleet, Tracked, shard_of
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile_codec import profile_manifest
from stowplan.model.workload import Workload

MINUTES: Final = 1440
MIDNIGHT: Final = TODAY * 86_400
OBSERVED: Final = Terms(BUILTIN_CLASSES["standard"])
ALLOWED: Final = (OBSERVED, *(Terms(c) for name, c in BUILTIN_CLASSES.items() if name != "standard"))


def fleet_of(workloads: int) -> Fleet:
    """A fleet whose day is nearly over: each container around a level of its own, a sample a minute."""
    fleet = Fleet()
    known = iter(histories(workloads * CONTAINERS))
    for number in range(workloads):
        workload = Workload("ns", "Deployment", f"workload-{number:05d}", api_version="apps/v1")
        tracked = Tracked(workload.key, workload.api_version, urgent=False)
        fleet.workloads[workload.key] = tracked
        for container in range(CONTAINERS):
            row = fleet.adopt(tracked, f"container-{container}", Learned(next(known)))
            image = f"registry.example.com/team-{number % 100}/image-{container}"
            fleet.at(row).slow.features = {"image": image, "container": f"container-{container}", "class": "standard"}
    rows = np.arange(workloads * CONTAINERS)
    rng = np.random.default_rng(2)
    level = rng.lognormal(5.0, 1.5, len(rows))
    sketches = fleet.open_day(TODAY)
    if sketches is None:
        raise AssertionError("the day of a new fleet is open")
    sixty, one, steady = np.full(len(rows), 60), np.ones(len(rows), np.int64), np.ones(len(rows), dtype=np.bool_)
    for minute in range(1, MINUTES + 1):
        cpu = level * rng.lognormal(0.0, 0.5, len(rows))
        t_s = np.full(len(rows), MIDNIGHT + 60 * minute)
        sketches.add(Batch(rows, t_s, sixty, cpu, level * 1e6, steady, one))
    return fleet


def measure(workloads: int = WORKLOADS) -> dict[str, Any]:
    """Seconds of each part, peak memory of the process, bytes of what is written."""
    fleet = fleet_of(workloads)
    found: dict[str, Any] = {"containers": fleet.containers, "peak_mib_learned": peak_kib() // 1024}
    now_s = MIDNIGHT + 80_000
    intake, last_memory = Intake(), LastMemory()
    found["take_in_a_minute"] = _timed(lambda: _feed(fleet, intake, last_memory, now_s))
    sizes: dict[str, int] = {}
    found["first_pass"] = _timed(lambda: _pass(fleet, now_s, sizes))
    found["pass"] = _timed(lambda: _pass(fleet, now_s + 3600, sizes))
    found["changed_in_the_second_pass"] = sizes["changed"]
    found["profile_bytes_mean"] = sizes["bytes"] // workloads
    shards: list[int] = []
    found["all_shards"] = _timed(lambda: shards.extend(_shards(fleet, now_s)))
    found["shard_bytes_max"], found["shard_bytes_total"] = max(shards), sum(shards)
    found["close_day"] = _timed(lambda: _close(fleet))
    found["peak_mib"] = peak_kib() // 1024
    return found


def _timed(run: Callable[[], object]) -> dict[str, float]:
    started, cpu_started = time.perf_counter(), time.process_time()
    run()
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time() - cpu_started, 2),
    }


def _feed(fleet: Fleet, intake: Intake, last_memory: LastMemory, now_s: int) -> None:
    places = {f"{key.name}-0": Place(Workload(*key)) for key in fleet.workloads}
    samples = [
        UsageSample("ns", pod, f"container-{container}", now_s, 60, 200.0, 1e8)
        for pod in places
        for container in range(CONTAINERS)
    ]
    admitted = intake.offer(samples, now_s).samples
    last_memory.note(admitted, now_s)
    Feeder(fleet, lambda _namespace, pod, _container: places.get(pod)).take(admitted, now_s)


def _pass(fleet: Fleet, now_s: int, sizes: dict[str, int]) -> None:
    """As the service's: what is not new or unlike what was written is left out of the writing, not of the pass."""
    cases = [Case(tracked, OBSERVED, ALLOWED) for tracked in fleet.workloads.values()]
    sizes["changed"] = sizes["bytes"] = 0
    for outcomes in FleetPass(fleet, Peers(fleet), list_prices(), now_s).run(cases):
        for outcome in outcomes:
            tracked = outcome[0].tracked
            profile = profile_of(fleet, outcome, None, None, now_s)
            said = digest(profile)
            if said != tracked.digest or not tracked.saved:
                sizes["changed"] += 1
                tracked.digest, tracked.saved_version = said, tracked.version
            if tracked.key.name.endswith("00"):  # one of a hundred stands for all
                whole = profile_manifest(with_checkpoint(profile, fleet))
                sizes["bytes"] += 100 * len(msgspec.json.encode(whole))


def _shards(fleet: Fleet, now_s: int) -> list[int]:
    members: dict[int, list[Tracked]] = {}
    for tracked in fleet.workloads.values():
        members.setdefault(shard_of(tracked.key), []).append(tracked)
    return [len(encode_shard(fleet, members.get(shard, []), now_s)) for shard in range(SHARDS)]


def _close(fleet: Fleet) -> None:
    for _ in close_day(fleet, TODAY, lambda _: OBSERVED, MIDNIGHT + 86_400 + GRACE_S):
        pass


def measured_apart() -> str:
    """The measurement as JSON from a process of its own, so that nothing else counts towards its memory."""
    command = [sys.executable, "-m", "perf.sizing.live_fleet"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*(int(word) for word in sys.argv[1:])), indent=1))
