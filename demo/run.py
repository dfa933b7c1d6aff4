"""One run: the workloads on one environment, from the first pod to the numbers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from demo.environment import Environment
from demo.errors import DemoError
from demo.learning import learned_profiles
from demo.manifests import RUN_LABEL, Consent, namespace_manifest
from demo.pods import PodLedger, project
from demo.profiles import publish
from demo.replay import Action, Player, Timing, Verb, schedule
from demo.result import RunResult
from demo.scrape import Scrape, scrape
from demo.story import find_story
from demo.summary import Observation, summarize
from demo.timeline import MICRO_USD, Timeline
from demo.workload import Workload
from sandbox.activity import Activity
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, NotFound
from stowplan.kube.paths import NAMESPACES, PODS, Resource
from stowplan.kube.reflector import Reflector, Selection

T = TypeVar("T")

_SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
_READY_SECONDS = 30.0
_SETTLE_SECONDS = 10.0
"""After the window, for pods that arrived at its very end."""
_OPENING_SECONDS = 30.0
"""For the opening wave: the window must not begin while pods of it have no node, or their cost would be missing."""
_PAUSE_SECONDS = 0.5
_TICK_SECONDS = 0.25


class Stopwatch:
    """Seconds since `start`, zero before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._started = self._clock()

    def __call__(self) -> float:
        """The seconds."""
        return 0.0 if self._started is None else self._clock() - self._started


@dataclass(slots=True)
class _Run:
    """What the tasks of a run share."""

    api: ApiClient
    environment: Environment
    timing: Timing
    workloads: Sequence[Workload]
    watch: Stopwatch
    ledger: PodLedger
    progress: Activity
    in_window: bool = False
    """False while the opening wave is created and placed."""


async def execute(
    environment: Environment, workloads: Sequence[Workload], timing: Timing, progress: Activity
) -> RunResult:
    """Run the workloads and measure. The namespace is left behind for the environment to remove.

    Raises:
        DemoError: a workload could not be created, or the cluster did not get ready.
        KubeError: the API server cannot be reached.
    """
    watch = Stopwatch()
    ledger = PodLedger(Timeline({node.name: node for node in environment.nodes}), watch)
    async with ApiClient(environment.connection) as api:
        progress.update("namespace")
        await _make_namespace(api, environment)
        if environment.variant.learns:
            progress.update("learned sizes")
            await publish(api, learned_profiles(workloads, environment.namespace, int(time.time())))
        before = await scrape(api, environment)
        async with _following(api, environment, ledger):
            watch.start()
            return await _measure(_Run(api, environment, timing, workloads, watch, ledger, progress), before)


async def _measure(run: _Run, before: Scrape) -> RunResult:
    ledger = run.ledger
    selector = dict(run.environment.node_selector)
    variant = run.environment.variant
    consent = Consent(sizes=variant.learns, placement=variant.packs or not variant.learns)
    player = Player(run.api, run.environment.namespace, run.environment.run, run.timing, selector, run.watch, consent)
    async with _background(_display(run)):
        await player.play([action for action in schedule(run.workloads, run.timing) if _is_opening(action)])
        await _settle(run, [workload for workload in run.workloads if workload.is_standing], _OPENING_SECONDS)
        timing = run.timing = replace(run.timing, lead_in_seconds=run.watch() + _PAUSE_SECONDS)
        run.in_window = True
        player.timing = timing
        await player.play([action for action in schedule(run.workloads, timing) if not _is_opening(action)])
        await asyncio.sleep(max(0.0, timing.end - run.watch()))
        residents = list(ledger.timeline.residents.values())
        await _settle(run, run.workloads, _SETTLE_SECONDS)
        after = await scrape(run.api, run.environment)
        story = await find_story(run.environment, list(ledger.records.values()))
    return summarize(
        Observation(
            workloads=run.workloads,
            nodes=run.environment.nodes,
            timing=timing,
            records=list(ledger.records.values()),
            points=ledger.timeline.points,
            residents=residents,
            latencies=after.since(before),
            largest_lag=player.largest_lag,
            story=story,
        )
    )


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """A task that ends with the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _make_namespace(api: ApiClient, environment: Environment) -> None:
    """The namespace, and the wait until pods can be created in it."""
    manifest = namespace_manifest(environment.namespace, environment.run, opted_in=environment.opted_in)
    try:
        await api.create(NAMESPACES.path(), manifest)
    except Conflict as error:
        raise DemoError(f"namespace {environment.namespace} exists already; delete it and run again") from error
    account = _SERVICE_ACCOUNTS.path(environment.namespace, "default")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(NotFound):
            await api.get(account)
            return
        await asyncio.sleep(0.1)
    raise DemoError(f"namespace {environment.namespace}: no default service account; is kube-controller-manager up?")


@asynccontextmanager
async def _following(api: ApiClient, environment: Environment, ledger: PodLedger) -> AsyncIterator[None]:
    """The ledger follows the run's pods while the block runs."""
    selection = Selection(namespace=environment.namespace, label_selector=f"{RUN_LABEL}={environment.run}")
    reflector = Reflector(api, PODS, project, ledger, selection=selection)
    async with _background(reflector.run()):
        try:
            await asyncio.wait_for(reflector.wait_synced(), _READY_SECONDS)
        except TimeoutError as error:
            raise DemoError("the pods could not be listed; is the API server up?") from error
        yield


def _is_opening(action: Action) -> bool:
    """Whether this creates what was there before the window."""
    return action.verb is Verb.CREATE and action.workload.is_standing


async def _settle(run: _Run, workloads: Sequence[Workload], seconds: float) -> None:
    """Wait until all pods of these workloads are bound, or refused; at most so long."""
    deadline = run.watch() + seconds
    expected = sum(workload.replicas for workload in workloads)
    while run.watch() < deadline:
        records = run.ledger.records.values()
        waiting = any(record.bound is None and not record.refused for record in records)
        if len(records) >= expected and not waiting:
            return
        await asyncio.sleep(_TICK_SECONDS)


async def _display(run: _Run) -> None:
    """Say several times a second how far the run is."""
    scale = run.timing.seconds_per_trace_second * 3600
    while True:
        point = run.ledger.timeline.points[-1]
        hour = (run.watch() - run.timing.lead_in_seconds) / scale
        when = f"{max(0.0, hour):.1f} h" if run.in_window else "opening"
        money = point.micro_usd_per_hour / MICRO_USD
        run.progress.update(
            f"{when}: {point.pods} pods, {point.nodes} nodes, ${money:.2f}/h",
            int(run.watch()) if run.in_window else 0,
            int(run.timing.end),
        )
        await asyncio.sleep(_TICK_SECONDS)
