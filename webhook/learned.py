"""Sizes learned from usage: a few look-ups in memory, and the cold start with its reason wherever the profile says too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from stowplan.model.profile import Confidence, Source
from stowplan.model.reasons import Reason
from stowplan.model.workload import Workload, WorkloadKey
from stowplan.model.workload_class import WorkloadClass
from webhook.containers import Container, Role
from webhook.profiles import LearnedProfile
from webhook.provenance import learned_record, risk_record, words_of
from webhook.recommendation import ColdStartRecommender, Recommendation

_COLD_START: Final = ColdStartRecommender()
_DAY_S: Final = 86_400
_MAX_HALT_TEXT: Final = 120
_REASONS: Final[Mapping[Source, Reason]] = {
    Source.USAGE: Reason.USAGE_SIZED,
    Source.STAFFING: Reason.STAFFING_FLOOR,
    Source.OOM: Reason.OOM_BUMPED,
    Source.SIMILAR: Reason.SIMILAR_SIZED,
    Source.SIMILAR_AND_OWN: Reason.SIMILAR_SIZED,
    Source.SIZE_TABLE: Reason.COLD_START,
    Source.SIZE_TABLE_AND_OWN: Reason.COLD_START,
}
_OWN_USAGE: Final = frozenset({Source.USAGE, Source.STAFFING, Source.OOM})
"""Sources whose confidence counts; the others are the recommender's own cold start, made for little history."""


@dataclass(frozen=True, slots=True)
class ProfileRecommender:
    """Knows what the recommender has published."""

    profiles: Mapping[WorkloadKey, LearnedProfile]
    now_s: int
    """Unix seconds."""
    max_age_s: int
    """A profile that was not renewed for longer is stale."""

    def recommend(
        self, workload: Workload, container: Container, workload_class: WorkloadClass
    ) -> Recommendation | None:
        """See `Recommender`."""
        cold = _COLD_START.recommend(workload, container, workload_class)
        profile = self.profiles.get(workload.key)
        if profile is None:
            return cold
        age_s = self.now_s - profile.updated_s
        if profile.updated_s and age_s > self.max_age_s:
            words = f"the profile is {age_s // _DAY_S} days old"
            return _because(cold, Reason.PROFILE_STALE, words)
        under = profile.under(workload_class.name)
        if under is None:
            words = f"the profile has no class {workload_class.name} yet"
            return _because(cold, Reason.CLASS_NOT_LEARNED, words)
        found = under.container(container.name)
        if found is None or not found.target:
            return _because(cold, Reason.CONTAINER_NOT_LEARNED, "the profile does not know the container")
        low = found.confidence is Confidence.LOW and found.source in _OWN_USAGE
        if low and cold is None:  # numbers of a side container's own, or an init container
            return None
        main = container.role is Role.MAIN
        risk = profile.risk if main and profile.risk and profile.risk.workload_class == under.name else None
        made = Recommendation(
            found.target if cold is None else {**cold.target, **found.target},
            _REASONS[found.source],
            words_of(found, risk, with_formula=main),
            learned=learned_record(under, found),
            risk=risk_record(risk),
            saving_micro_usd_per_hour=found.saving_micro_usd_per_hour,
        )
        if low and cold is not None:
            made = _raised(cold, made, found.days)
        return self._halted(profile, made)

    def _halted(self, profile: LearnedProfile, made: Recommendation) -> Recommendation:
        halt = profile.halt
        if halt is None or self.now_s >= halt.until_s:
            return made
        message = halt.message or str(halt.signal)
        message = message if len(message) <= _MAX_HALT_TEXT else f"{message[: _MAX_HALT_TEXT - 3]}..."
        words = f"stepped back: {message}; {made.provenance}"
        inputs = {**made.inputs, "halt": message}
        return replace(made, reason=Reason.REGRESSION_HALT, provenance=words, halt=message, inputs=inputs)


def _raised(cold: Recommendation, made: Recommendation, days: int) -> Recommendation:
    """The cold start, raised where usage already asked for more: a peak or an OOM kill is certain however short the history is."""
    target = {resource: max(amount, made.target[resource]) for resource, amount in cold.target.items()}
    words = f"{cold.provenance}, confidence is low after {days} days"
    if target != cold.target:
        words += ", raised to what was seen"
    return replace(
        made,
        target=target,
        reason=Reason.LOW_CONFIDENCE,
        provenance=words,
        inputs=cold.inputs,
        saving_micro_usd_per_hour=0,
    )


def _because(cold: Recommendation | None, reason: Reason, words: str) -> Recommendation | None:
    """The cold start for a reason of its own; a side container's numbers by the table keep theirs."""
    if cold is None:
        return None
    return replace(cold, reason=reason, provenance=f"{cold.provenance}, {words}")
