"""Plays workloads onto a cluster in compressed time: creates each at its arrival, deletes each at its departure."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from demo.errors import DemoError
from demo.manifests import SIZES_AS_WRITTEN, Consent, workload_manifest
from demo.workload import Kind, Workload
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import ApiError, Conflict, KubeError, NotFound, TooManyRequests, Unreachable
from stowplan.kube.paths import DEPLOYMENTS, JOBS, Resource

_ATTEMPTS = 4
_PARALLEL = 16
"""Calls in flight; enough that the driver never waits for the API server, few enough to keep the order."""
_RESOURCES: dict[Kind, Resource] = {Kind.DEPLOYMENT: DEPLOYMENTS, Kind.JOB: JOBS}


@dataclass(frozen=True, slots=True)
class Timing:
    """How trace time becomes time of the run."""

    window_seconds: int
    """Of trace time."""
    replay_seconds: float
    """The window takes this long."""
    lead_in_seconds: float = 0.0
    """Before the window: what was there already is created at once, and the window waits until all of it has a node."""
    tidy_seconds: float = 1.5
    """A Job is deleted this long after its end; KWOK has ended its pods by then, unless they started late."""

    @property
    def seconds_per_trace_second(self) -> float:
        """Below one: time is compressed."""
        return self.replay_seconds / self.window_seconds

    @property
    def end(self) -> float:
        """Of the window, in seconds of the run."""
        return self.lead_in_seconds + self.replay_seconds

    def at(self, trace_seconds: float) -> float:
        """A moment of the trace in seconds of the run; what is before the window happens at zero."""
        if trace_seconds < 0:
            return 0.0
        return self.lead_in_seconds + trace_seconds * self.seconds_per_trace_second


class Verb(StrEnum):
    """What to do with a workload."""

    CREATE = "create"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Action:
    """One call at one moment."""

    seconds: float
    verb: Verb
    workload: Workload


def schedule(workloads: Sequence[Workload], timing: Timing) -> list[Action]:
    """All calls in order of time, and among equal times in the order of the workloads.

    A Job of before the window is ended by its deletion: KWOK would count its life from its late start.
    """
    actions = [Action(timing.at(workload.arrival_s), Verb.CREATE, workload) for workload in workloads]
    for workload in workloads:
        if workload.departure_s is not None:
            completes = workload.kind is Kind.JOB and not workload.is_standing
            margin = timing.tidy_seconds if completes else 0.0
            actions.append(Action(timing.at(workload.departure_s) + margin, Verb.DELETE, workload))
    return sorted((action for action in actions if action.seconds <= timing.end), key=lambda action: action.seconds)


@dataclass(slots=True)
class Player:
    """Carries a schedule out.

    Attributes:
        api: an open client.
        namespace: where everything is created.
        run: value of the run label.
        timing: the compression.
        node_selector, consent: see `workload_manifest`.
        clock: seconds since the start of the run.
        largest_lag: most seconds that a call was sent too late; the measure of an overloaded machine.
    """

    api: ApiClient
    namespace: str
    run: str
    timing: Timing
    node_selector: dict[str, str]
    clock: Callable[[], float]
    consent: Consent = SIZES_AS_WRITTEN
    largest_lag: float = 0.0

    async def play(self, actions: Sequence[Action]) -> None:
        """Send every call at its time.

        Raises:
            DemoError: the API server refused a workload, or did not answer several times.
        """
        slots = asyncio.Semaphore(_PARALLEL)
        try:
            async with asyncio.TaskGroup() as tasks:
                for action in actions:
                    await asyncio.sleep(max(0.0, action.seconds - self.clock()))
                    await slots.acquire()
                    self.largest_lag = max(self.largest_lag, self.clock() - action.seconds)
                    tasks.create_task(self._act(action)).add_done_callback(lambda _: slots.release())
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            raise DemoError(f"replay stopped: {first}") from first

    async def _act(self, action: Action) -> None:
        workload = action.workload
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await (self._create(workload) if action.verb is Verb.CREATE else self._delete(workload))
            except (Unreachable, TooManyRequests) as error:
                if attempt == _ATTEMPTS:
                    raise DemoError(f"{action.verb} {workload.kind} {workload.name}: {error}") from error
                await asyncio.sleep(0.2 * attempt)
            except KubeError as error:
                raise DemoError(f"{action.verb} {workload.kind} {workload.name}: {error}") from error
            else:
                return

    async def _create(self, workload: Workload) -> None:
        scale = self.timing.seconds_per_trace_second
        body = workload_manifest(
            workload,
            self.run,
            seconds_per_trace_second=scale,
            node_selector=self.node_selector,
            consent=self.consent,
        )
        try:
            await self.api.create(_RESOURCES[workload.kind].path(self.namespace), body)
        except Conflict as error:
            if not _already_exists(error):  # an earlier attempt got through, its answer did not
                raise

    async def _delete(self, workload: Workload) -> None:
        path = _RESOURCES[workload.kind].path(self.namespace, workload.name)
        try:
            await self.api.delete(path, propagationPolicy="Background")
        except NotFound:
            return  # an earlier attempt got through


def _already_exists(error: ApiError) -> bool:
    return error.reason == "AlreadyExists"
