"""Where a learned size is from, for the sentence and for the decision record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stowplan.model.profile import Risk, Source
from webhook.profiles import ClassProfile, ContainerProfile, KeptRisk

_HOURS_A_MONTH: Final = 730
"""As cloud price lists count: 365 * 24 / 12."""
_PPM_A_PERCENT: Final = 10_000
_MAX_FORMULA: Final = 150
_SOURCES: Final[Mapping[Source, str]] = {
    Source.USAGE: "learned from usage",
    Source.STAFFING: "by square-root staffing over its replicas",
    Source.OOM: "raised after an OOM kill",
    Source.SIMILAR: "as similar workloads",
    Source.SIMILAR_AND_OWN: "as similar workloads and its own first usage",
    Source.SIZE_TABLE: "cold start, size table",
    Source.SIZE_TABLE_AND_OWN: "cold start, size table and its own first usage",
}


def words_of(found: ContainerProfile, risk: KeptRisk | None, *, with_formula: bool) -> str:
    """Source, history, confidence, clamps, risk and formula, most important first: a long sentence is cut at its end."""
    parts = [f"{_SOURCES[found.source]} of {found.days} days" if found.days else _SOURCES[found.source]]
    parts.append(f"{found.confidence} confidence")
    if found.clamps:
        parts.append(f"clamped by {', '.join(found.clamps)}")
    if risk is not None:
        parts.append(
            f"overrun {_percent(risk.achieved.overrun)} of {_percent(risk.declared.overrun)} risked"
            f" over {risk.days} judged days"
        )
    if with_formula and found.formula:
        formula = found.formula
        parts.append(formula if len(formula) <= _MAX_FORMULA else f"{formula[: _MAX_FORMULA - 3]}...")
    return ", ".join(parts)


def saving_words(micro_usd_per_hour: int) -> str:
    """What a size saves or costs against the current request; empty where it is nothing."""
    if not micro_usd_per_hour:
        return ""
    return f"{'saves' if micro_usd_per_hour > 0 else 'costs'} about ${dollars_a_month(abs(micro_usd_per_hour))} a month a replica"


def learned_record(under: ClassProfile, found: ContainerProfile) -> dict[str, Any]:
    """Every part of the provenance of one container's numbers; `target` is left out, the record has it as `ideal`."""
    record: dict[str, Any] = {
        "source": str(found.source),
        "formula": found.formula,
        "samples": found.samples,
        "days": found.days,
        "confidence": str(found.confidence),
        "clamps": list(found.clamps),
        "cost": str(under.cost),
        "savingUSDPerMonth": dollars_a_month(found.saving_micro_usd_per_hour),
    }
    return {key: value for key, value in record.items() if value not in ("", [])}


def risk_record(risk: KeptRisk | None) -> dict[str, Any]:
    """Declared and achieved shares in parts per million; empty where none is known."""
    if risk is None:
        return {}
    return {"declared": _shares(risk.declared), "achieved": _shares(risk.achieved), "days": risk.days}


def dollars_a_month(micro_usd_per_hour: int) -> str:
    """Per replica at list prices, in cents: `12.30`."""
    cents = (abs(micro_usd_per_hour) * _HOURS_A_MONTH + 5_000) // 10_000
    sign = "-" if micro_usd_per_hour < 0 and cents else ""
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def _shares(risk: Risk) -> dict[str, int]:
    return {"overrunPPM": risk.overrun, "unmetPPM": risk.unmet, "breachPPM": risk.breach}


def _percent(ppm: int) -> str:
    return f"{ppm / _PPM_A_PERCENT:.1f}%"
