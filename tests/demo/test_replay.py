"""The schedule of calls, and that they are made."""

import asyncio
from typing import Any

import pytest

from demo.errors import DemoError
from demo.replay import Action, Player, Timing, Verb, schedule
from demo.workload import Kind
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import Conflict, Invalid, NotFound, Unreachable
from tests.support.demo import workload

TIMING = Timing(window_seconds=3600, replay_seconds=36.0, lead_in_seconds=6.0, tidy_seconds=3.0)
"""A hundred seconds of trace in one."""


def test_trace_time_becomes_time_of_the_run() -> None:
    assert TIMING.at(-1) == 0.0
    assert TIMING.at(0) == 6.0
    assert TIMING.at(1800) == 24.0
    assert TIMING.end == 42.0


def test_what_was_there_comes_first_and_a_job_is_tidied_up_after_its_end() -> None:
    old = workload("old", arrival_s=-500, departure_s=1000)
    job = workload("job", kind=Kind.JOB, arrival_s=300, departure_s=600)
    stays = workload("stays", arrival_s=300)
    old_job = workload("old-job", kind=Kind.JOB, arrival_s=-1, departure_s=700)

    actions = schedule([old, job, stays, old_job], TIMING)

    assert [(action.seconds, action.verb, action.workload.name) for action in actions] == [
        (0.0, Verb.CREATE, "old"),
        (0.0, Verb.CREATE, "old-job"),
        (9.0, Verb.CREATE, "job"),  # 6 + 300 / 100
        (9.0, Verb.CREATE, "stays"),
        (13.0, Verb.DELETE, "old-job"),  # 6 + 700 / 100: nothing to tidy up, this is its end
        (15.0, Verb.DELETE, "job"),  # 6 + 600 / 100 + 3
        (16.0, Verb.DELETE, "old"),  # 6 + 1000 / 100
    ]


def test_nothing_is_done_after_the_window() -> None:
    late = workload("late", arrival_s=0, departure_s=3601)

    assert [action.verb for action in schedule([late], TIMING)] == [Verb.CREATE]


class FakeApi(ApiClient):
    """Answers calls from a list of errors (None is success) and notes them."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    async def create(self, path: str, body: Any, **params: Any) -> Any:
        """The next answer."""
        return self._answer(f"create {path} {body['metadata']['name']} {params or ''}".strip())

    async def delete(self, path: str, body: Any = None, **params: Any) -> Any:
        """The next answer."""
        return self._answer(f"delete {path} {params['propagationPolicy']} {body or ''}".strip())

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error


def player(api: ApiClient, now: float = 0.0) -> Player:
    return Player(api, "demo", "run-1", TIMING, {}, lambda: now)


def test_calls_go_to_the_kind_s_collection() -> None:
    api = FakeApi()
    job = workload("job", kind=Kind.JOB)
    actions = [Action(0.0, Verb.CREATE, job), Action(0.0, Verb.DELETE, workload("web"))]

    asyncio.run(player(api).play(actions))

    assert api.calls == [
        "create /apis/batch/v1/namespaces/demo/jobs job",
        "delete /apis/apps/v1/namespaces/demo/deployments/web Background",
    ]


def test_the_largest_lag_is_kept() -> None:
    late = player(FakeApi(), now=2.5)

    asyncio.run(late.play([Action(2.0, Verb.CREATE, workload("a")), Action(2.4, Verb.CREATE, workload("b"))]))

    assert late.largest_lag == 0.5


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.DELETE])
def test_a_lost_answer_is_asked_for_again(verb: Verb) -> None:
    # The first attempt got through but its answer did not: the second finds the work done.
    done = Conflict(409, "AlreadyExists", "there") if verb is Verb.CREATE else NotFound(404, "NotFound", "gone")
    api = FakeApi(Unreachable("reset"), done)

    asyncio.run(player(api).play([Action(0.0, verb, workload("a"))]))

    assert len(api.calls) == 2


@pytest.mark.parametrize("error", [Invalid(422, "Invalid", "bad name"), Conflict(409, "Conflict", "stale")])
def test_a_refusal_stops_the_replay_and_names_the_workload(error: Exception) -> None:
    with pytest.raises(DemoError, match=r"create Deployment a: (422 Invalid: bad name|409 Conflict: stale)"):
        asyncio.run(player(FakeApi(error)).play([Action(0.0, Verb.CREATE, workload("a"))]))
