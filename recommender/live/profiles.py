"""From the outcome of a pass to the WorkloadProfile of a workload, and the question whether it has to be written."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from recommender.live.fleet_pass import Outcome
from recommender.live.pod_index import Running
from recommender.live.restoring import checkpoint_of
from recommender.risk import Risk
from recommender.workloads.fleet import Fleet
from stowplan.model.profile import AchievedRisk, Regression, Source, WorkloadProfile
from stowplan.model.profile import Risk as Shares
from stowplan.model.profile_codec import profile_status
from stowplan.model.workload import WorkloadKey


def profile_of(
    fleet: Fleet, outcome: Outcome, running: Running | None, regression: Regression | None, now_s: int
) -> WorkloadProfile:
    """All that is published about a workload, without its checkpoint."""
    case, recommendations = outcome
    tracked = case.tracked
    learned = [fleet.at(row) for row in tracked.rows.values()]
    hours = max((of.days for of in learned if not of.slow.init), default=0) * 24
    return WorkloadProfile(
        namespace=tracked.key.namespace,
        kind=tracked.key.kind,
        name=tracked.key.name,
        api_version=tracked.api_version,
        updated_s=now_s,
        history_hours=hours or _open_hours(fleet, list(tracked.rows.values())),
        replicas=running.replicas if running is not None else 0,
        observed_class=case.observed.wclass.name,
        observed_cost=case.observed.cost or case.observed.wclass.cost,
        observed_mode=running.template.mode if running is not None else None,
        recommendations=recommendations,
        risk=_achieved(fleet, outcome),
        regression=regression,
    )


def with_checkpoint(profile: WorkloadProfile, fleet: Fleet) -> WorkloadProfile:
    """The profile as it is written."""
    tracked = fleet.workloads.get(WorkloadKey(*profile.key))
    return profile if tracked is None else replace(profile, checkpoint=checkpoint_of(fleet, tracked))


def digest(profile: WorkloadProfile) -> bytes:
    """Equal for profiles that say the same, whenever they were made and whatever their checkpoint."""
    status = profile_status(replace(profile, updated_s=0, checkpoint={}))
    return hashlib.blake2b(msgspec.json.encode(status), digest_size=12).digest()


def says_something(profile: WorkloadProfile, fleet: Fleet) -> bool:
    """Whether a workload's first profile would say more than the webhook knows without one.

    That is its use, similar workloads, an OOM kill; and a number of its user's that is held, once the first look at the workload is over:
    until then it is no more than what its pods say.
    """
    tracked = fleet.workloads[WorkloadKey(*profile.key)]
    learned = [fleet.at(row) for row in tracked.rows.values()]
    if any(of.days or of.slow.oom_bytes for of in learned) or profile.regression is not None:
        return True
    published = [one for of_class in profile.recommendations for one in of_class.containers]
    return any(one.source is not Source.SIZE_TABLE or (one.clamps and tracked.looks) for one in published)


def _open_hours(fleet: Fleet, rows: list[int]) -> int:
    hours = 0
    for sketches in fleet.days.values():
        there = [row for row in rows if row < len(sketches.seconds)]
        hours += max((int((sketches.seconds[row] > 0).sum()) for row in there), default=0)
    return hours


def _achieved(fleet: Fleet, outcome: Outcome) -> AchievedRisk | None:
    """The worst of the workload's containers, beside what is declared."""
    case, _ = outcome
    name = case.observed.wclass.name
    slows = [fleet.at(row).slow for row in case.tracked.rows.values()]
    judged = [slow.judged for slow in slows if slow.level_class == name and slow.judged.days]
    if not judged:
        return None
    achieved = [of.achieved for of in judged]
    worst = Risk(max(a.overrun for a in achieved), max(a.unmet for a in achieved), max(a.breach for a in achieved))
    return AchievedRisk(_shares(case.observed.risk), _shares(worst), round(max(of.days for of in judged)))


def _shares(risk: Risk) -> Shares:
    return Shares(round(risk.overrun * 1e6), round(risk.unmet * 1e6), round(risk.breach * 1e6))
