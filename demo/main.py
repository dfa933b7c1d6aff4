"""The demo from start to end: every run, the result, the report."""

import asyncio
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from demo.cluster import DemoNode, node_set
from demo.environment import Environment, Variant
from demo.errors import DemoError
from demo.fresh import fresh_environment
from demo.replay import Timing
from demo.report import report_html
from demo.result import DemoResult, RunResult, to_json, write_atomically
from demo.run import execute
from demo.timeline import MICRO_USD
from demo.trace import WINDOW_SECONDS, load_sample
from demo.workload import Workload, first_pods, peak_demand, workloads_of
from demo.workspace import workspace
from sandbox.activity import activity

RESULT_FILE = "result.json"
REPORT_FILE = "report.html"
DEFAULT_RUNS = tuple(Variant)

OpenEnvironment = Callable[[Variant, Sequence[DemoNode]], AbstractContextManager[Environment]]
"""Makes the place of one run."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What to run."""

    output: Path
    """Directory for result and report."""
    runs: Sequence[Variant] = DEFAULT_RUNS
    """In this order."""
    pods: int | None = None
    """At most this many pods of the sample; None for all."""
    replay_seconds: float = 60.0
    """Time in which the window of the trace is replayed: a minute of trace in a sixth of a second."""


@dataclass(slots=True)
class _Collected:
    runs: dict[str, RunResult] = field(default_factory=dict)
    nodes: Sequence[DemoNode] = ()


def run_demo(settings: DemoSettings, open_environment: OpenEnvironment | None = None) -> DemoResult:
    """Run everything and leave result and report behind, also of the runs that were done when a later one fails.

    Raises:
        DemoError, SandboxError, KubeError: a run failed; the message has the remedy.
    """
    machine = {"cpus": os.cpu_count() or 1, "load_average": round(os.getloadavg()[0], 2)}
    started, clock = datetime.now(UTC), time.monotonic()
    workloads = load_workloads(settings.pods)
    timing = Timing(window_seconds=WINDOW_SECONDS, replay_seconds=settings.replay_seconds)
    collected = _Collected(nodes=node_set(*peak_demand(workloads)))
    with _places(open_environment) as place:
        for variant in settings.runs:
            run_result, collected.nodes = _one(variant, place, workloads, collected.nodes, timing)
            collected.runs[str(variant)] = run_result
    result = DemoResult(
        runs=collected.runs,
        seed=0,
        window_hours=timing.window_seconds / 3600,
        replay_seconds=timing.replay_seconds,
        existing_cluster=open_environment is not None,
        cluster=describe(collected.nodes),
        machine=machine,
        versions=versions(),
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
    )
    write_atomically(settings.output / RESULT_FILE, to_json(result))
    write_atomically(settings.output / REPORT_FILE, report_html(result))
    return result


def parse_runs(text: str, places: OpenEnvironment | None) -> tuple[Variant, ...]:
    """Names of runs, comma separated; empty means all that make sense at the places.

    Raises:
        DemoError: an unknown or repeated name.
    """
    if not text:
        return DEFAULT_RUNS if places is None else tuple(run for run in Variant if run is not Variant.MOST_ALLOCATED)
    names = [name.strip() for name in text.split(",")]
    known = ", ".join(Variant)
    unknown = [name for name in names if name not in list(Variant)]
    if unknown:
        raise DemoError(f"--runs: {unknown[0]!r} is no run; choose from {known}")
    if len(set(names)) < len(names):
        raise DemoError(f"--runs {text}: a run comes twice; name each once")
    return tuple(Variant(name) for name in names)


def load_workloads(pods: int | None) -> list[Workload]:
    """The workloads of the shipped sample, or its first ones.

    Raises:
        DemoError: a number of pods below one.
    """
    workloads = workloads_of(load_sample())
    if pods is None:
        return workloads
    if pods < 1:
        raise DemoError(f"pods is {pods}; ask for at least one")
    return first_pods(workloads, pods)


def describe(nodes: Sequence[DemoNode]) -> dict[str, int | float | dict[str, int]]:
    """The node set in numbers."""
    types: dict[str, int] = {}
    for node in nodes:
        types[node.instance_type] = types.get(node.instance_type, 0) + 1
    return {
        "nodes": len(nodes),
        "cpu_cores": round(sum(node.cpu_millicores for node in nodes) / 1000, 1),
        "memory_gib": round(sum(node.memory_bytes for node in nodes) / 2**30, 1),
        "cost_per_hour": round(sum(node.price_micro_usd_per_hour for node in nodes) / MICRO_USD, 4),
        "instance_types": types,
    }


def versions() -> dict[str, str]:
    """What ran."""
    try:
        ours = version("stowplan")
    except PackageNotFoundError:
        ours = "from source"
    return {"stowplan": ours, "python": platform.python_version(), "machine": platform.machine()}


def _one(
    variant: Variant, place: OpenEnvironment, workloads: Sequence[Workload], nodes: Sequence[DemoNode], timing: Timing
) -> tuple[RunResult, Sequence[DemoNode]]:
    with place(variant, nodes) as environment, activity(f"Run {variant}") as progress:
        return asyncio.run(execute(environment, workloads, timing, progress)), environment.nodes


@contextmanager
def _places(open_environment: OpenEnvironment | None) -> Iterator[OpenEnvironment]:
    """The given places, or fresh control planes below a temporary directory."""
    if open_environment is not None:
        yield open_environment
        return
    with workspace() as directory:
        yield lambda variant, nodes: fresh_environment(variant, nodes, directory / str(variant))
