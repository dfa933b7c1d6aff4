"""The JSON of `stowplan recommend`, a contract: docs/reference/recommend.md. Integers; null where something is not known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from recommender.proposing.proposals import HOURS_PER_MONTH, SCHEMA_VERSION, Amounts, Proposal, totals
from recommender.sizing.prices import Prices
from stowplan.model.profile import AchievedRisk, ContainerRecommendation, Regression, Risk

_KEYS = {"cpu": "cpu_millicores", "memory": "memory_bytes"}


def report(proposals: Sequence[Proposal], prices: Prices, problems: Sequence[str]) -> dict[str, Any]:
    """Everything; `problems` are the documents that could not be used, as sentences."""
    return {
        "schema_version": SCHEMA_VERSION,
        "prices": {
            "core_micro_usd_per_hour": round(prices.core),
            "gib_micro_usd_per_hour": round(prices.gib),
            "hours_per_month": HOURS_PER_MONTH,
        },
        "workloads": [_workload(proposal) for proposal in proposals],
        "totals": totals(proposals),
        "problems": list(problems),
    }


def _workload(of: Proposal) -> dict[str, Any]:
    profile, hourly = of.profile, of.saving_micro_usd_per_hour
    chosen = of.recommendation
    return {
        "namespace": profile.namespace,
        "kind": profile.kind,
        "name": profile.name,
        "class": chosen.workload_class if chosen is not None else None,
        "observed_class": profile.observed_class,
        "cost": str(chosen.cost) if chosen is not None else None,
        "mode": None if profile.observed_mode is None else str(profile.observed_mode),
        "replicas": of.replicas,
        "current": None if of.in_force is None else {key: of.current(name) for name, key in _KEYS.items()},
        "recommended": None if chosen is None else {key: of.recommended(name) for name, key in _KEYS.items()},
        "saving_micro_usd_per_month": None if hourly is None else hourly * HOURS_PER_MONTH,
        "confidence": None if of.confidence is None else str(of.confidence),
        "risk": None if profile.risk is None else _risk(profile.risk, of.risk_used),
        "halted": None if of.halt is None else _halt(of.halt),
        "updated_at": _time(profile.updated_s) if profile.updated_s else None,
        "history_hours": profile.history_hours,
        "containers": [_container(target, of) for target in of.targets],
    }


def _container(target: ContainerRecommendation, of: Proposal) -> dict[str, Any]:
    return {
        "name": target.name,
        "current": None if of.in_force is None else _amounts(of.in_force.typical(target.name)),
        "recommended": _amounts(target.target),
        "lower": _amounts(target.lower),
        "upper": _amounts(target.upper),
        "confidence": str(target.confidence),
        "source": str(target.source),
        "formula": target.formula,
        "samples": target.samples,
        "days": target.days,
        "clamps": list(target.clamps),
    }


def _amounts(amounts: Amounts) -> dict[str, int | None]:
    return {key: amounts.get(name) for name, key in _KEYS.items()}


def _risk(of: AchievedRisk, used: float | None) -> dict[str, Any]:
    finite = used is not None and used != float("inf")
    return {
        "declared": _shares(of.declared),
        "achieved": _shares(of.achieved),
        "days": of.days,
        "used_percent": round(100 * used) if used is not None and finite else None,
    }


def _shares(of: Risk) -> dict[str, int]:
    return {"overrun_ppm": of.overrun, "unmet_ppm": of.unmet, "breach_ppm": of.breach}


def _halt(of: Regression) -> dict[str, Any]:
    return {
        "signal": str(of.signal),
        "since": _time(of.since_s),
        "until": _time(of.until_s),
        "step": of.step,
        "message": of.message,
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
