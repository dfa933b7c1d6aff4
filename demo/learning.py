"""What stowplan has learned before the demo begins: the recommender's own functions over recorded use, as WorkloadProfiles."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from demo.manifests import CONTAINER
from demo.usage import DAYS, LEARNED_DAYS, usage_of
from demo.workload import Workload
from recommender.replaying.by_class import ByClass
from recommender.replaying.strategy import Requests
from recommender.replaying.usage import Usage
from recommender.sizing.prices import list_prices
from recommender.sizing.recommendation import Recommendation, Subject, recommend
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.profile import ClassRecommendation, ContainerRecommendation, Source, WorkloadProfile
from stowplan.model.workload_class import WorkloadClass

_HOUR_S: Final = 3600


def learned_profiles(workloads: Sequence[Workload], namespace: str, now_s: int) -> list[WorkloadProfile]:
    """One profile for each workload, learned from `LEARNED_DAYS` days under the workload's class.

    Args:
        workloads: with their classes; all built in.
        namespace: of the profiles.
        now_s: Unix time of publication.
    """
    by_class: defaultdict[str, list[Workload]] = defaultdict(list)
    for workload in workloads:
        by_class[workload.workload_class].append(workload)
    found: list[WorkloadProfile] = []
    for name, members in by_class.items():
        recommendations = _recommend(members, BUILTIN_CLASSES[name])
        found += [_profile(of, recommendations[of.name], namespace, now_s) for of in members]
    return found


def _recommend(workloads: Sequence[Workload], wclass: WorkloadClass) -> Mapping[str, Recommendation]:
    """Walk through the learned days as the live recommender would, each day judged before it is learned; then recommend."""
    usage = usage_of(workloads)
    strategy = ByClass(usage, wclass)
    nothing = np.full(len(workloads), np.nan)
    for day in range(LEARNED_DAYS):
        strategy.observe(day, Requests(nothing, nothing, nothing), np.zeros(len(workloads), dtype=np.bool_))
    busy = _busiest_hours(usage)
    replicas = {of.name: of.replicas for of in workloads}
    subjects = [
        Subject(
            key=name,
            history=strategy.histories[number],
            class_name=wclass.name,
            cpu_level=float(strategy.levels.cpu[number]),
            memory_level=float(strategy.levels.memory[number]),
            replicas=replicas[name],
            busy_cores=busy[number] / 1000 * replicas[name],
        )
        for number, (name, _) in enumerate(usage.names)
    ]
    today = usage.first_day + LEARNED_DAYS
    return {found.key: found for found in recommend(subjects, today, {wclass.name: wclass}, list_prices())}


def _busiest_hours(usage: Usage) -> list[float]:
    """Mean millicores of each container in its busiest hour of the learned days."""
    return [max(means) for means in _hourly_means(usage)]


def _hourly_means(usage: Usage) -> Iterator[list[float]]:
    for number in range(len(usage.names)):
        samples = slice(usage.bounds[number * DAYS], usage.bounds[number * DAYS + LEARNED_DAYS])
        hours = usage.t_s[samples] // _HOUR_S
        starts = np.flatnonzero(np.diff(hours, prepend=-1))
        sums = np.add.reduceat(usage.cpu[samples], starts)
        yield list(sums / np.diff(np.append(starts, len(hours))))


def _profile(workload: Workload, found: Recommendation, namespace: str, now_s: int) -> WorkloadProfile:
    provenance = found.provenance
    container = ContainerRecommendation(
        name=CONTAINER,
        # Consent to learned sizes is consent to both: memory has to be said, or the webhook would start it cold.
        target={"cpu": found.cpu, "memory": workload.memory_bytes},
        confidence=found.confidence,
        source=Source(provenance.source),
        formula=provenance.formula,
        samples=provenance.samples,
        days=provenance.window_days,
        clamps=provenance.clamps,
    )
    wclass = BUILTIN_CLASSES[workload.workload_class]
    return WorkloadProfile(
        namespace=namespace,
        kind=workload.kind.value,
        name=workload.name,
        updated_s=now_s,
        history_hours=24 * LEARNED_DAYS,
        replicas=workload.replicas,
        observed_class=wclass.name,
        observed_cost=wclass.cost,
        recommendations=(ClassRecommendation(wclass.name, wclass.cost, (container,)),),
    )
