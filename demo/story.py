"""The story of one pod: why it has its size (the webhook's sentence) and why it is on its node (the extender's)."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from demo.environment import Environment
from demo.pods import PodRecord
from demo.result import Story
from stowplan.model.keys import SCHEDULER_NAME

_TIMEOUT = aiohttp.ClientTimeout(total=3.0)
_CANDIDATES = 400
_PLANNED = "planned"
_PREFERRED_CLASSES = ("standard", "elastic", "critical", "batch")


async def find_story(environment: Environment, records: Sequence[PodRecord]) -> Story | None:
    """The first good story among pods that the webhook and stowplan-scheduler have handled, or None.

    A pod that went where the plan had a slot for it is preferred to one that was placed by the greedy rule, and either to
    one for which several nodes were named and the scheduler chose among them.
    """
    if environment.extender_url is None:
        return None
    stories: list[tuple[int, Story]] = []
    for record in candidates(records):
        explanation = await _explain(f"{environment.extender_url}/explain/{environment.namespace}/{record.name}")
        if explanation is not None:
            straight = explanation.get("node") == record.node
            rank = 0 if straight and explanation.get("outcome") == _PLANNED else 1 if straight else 2
            stories.append((rank, make_story(record, explanation)))
            if rank == 0:
                break
    return min(stories, key=lambda ranked: ranked[0])[1] if stories else None


def candidates(records: Sequence[PodRecord]) -> list[PodRecord]:
    """Bound pods with a sentence, services before jobs, larger before smaller."""
    told = [record for record in records if record.bound is not None and record.why]
    ours = [record for record in told if record.scheduler_name == SCHEDULER_NAME]

    def order(record: PodRecord) -> tuple[int, int, str]:
        known = record.workload_class in _PREFERRED_CLASSES
        rank = _PREFERRED_CLASSES.index(record.workload_class) if known else len(_PREFERRED_CLASSES)
        return rank, -record.cpu_millicores, record.name

    return sorted(ours, key=order)[:_CANDIDATES]


def make_story(record: PodRecord, explanation: Mapping[str, Any]) -> Story:
    """The two sentences, and everything the extender said."""
    return Story(
        pod=record.name,
        workload_class=record.workload_class,
        node=record.node,
        size=record.why,
        placement=str(explanation.get("why", "")),
        explanation=explanation,
    )


async def _explain(url: str) -> Mapping[str, Any] | None:
    """The extender's explanation; None when it does not remember the pod or does not answer."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            if not response.ok:
                return None
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
