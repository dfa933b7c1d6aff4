"""The measures of right-sizing, on judged days only: requested, slack, overrun share, unmet demand, breach days, changes, coverage.

Definitions (also in docs/sizing.md): slack = sum max(0, request - use) / sum request; overrun share = share of samples with use above
request, by workload; unmet = sum of use above request / sum of use; a breach day is a workload-day with memory above the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats
from recommender.replaying.usage import Usage


@dataclass(frozen=True)
class Plan:
    """Requests of every container on every day, (containers, days); NaN on days that are not judged or not covered."""

    cpu: Floats
    memory: Floats
    memory_limit: Floats


@dataclass(frozen=True)
class Verdict:
    """Sums by container over the judged days; the summary is taken over any subset of containers."""

    cpu_requested: Floats
    """Core-hours requested, by container; likewise below."""
    cpu_used: Floats
    cpu_slack: Floats
    cpu_unmet: Floats
    samples: Floats
    overruns: Floats
    memory_requested: Floats
    """GiB-hours."""
    memory_slack: Floats
    memory_days: Floats
    breach_days: Floats
    changes: Floats
    covered_days: Floats
    judged_days: Floats

    def overrun_share(self) -> Floats:
        """By container; NaN where nothing was judged."""
        with np.errstate(invalid="ignore"):
            return self.overruns / self.samples

    def unmet(self) -> Floats:
        """By container; 0 where nothing was used."""
        return np.divide(self.cpu_unmet, self.cpu_used, out=np.zeros_like(self.cpu_used), where=self.cpu_used > 0)

    def breach_share(self) -> Floats:
        """Share of the container's judged days that were breach days; NaN where memory was not judged."""
        with np.errstate(invalid="ignore"):
            return self.breach_days / self.memory_days

    def summary(self) -> dict[str, Any]:
        """The measures over all containers; JSON-ready. A measure without data is None."""
        overrun = self.overrun_share()
        overrun = overrun[np.isfinite(overrun)]
        return {
            "cpu": {
                "requested": _rounded(self.cpu_requested.sum()),
                "slack": _ratio(self.cpu_slack, self.cpu_requested),
                "overrun_share": _rounded(overrun.mean()) if len(overrun) else None,
                "overrun_share_p95": _rounded(np.percentile(overrun, 95)) if len(overrun) else None,
                "unmet": _ratio(self.cpu_unmet, self.cpu_used),
            },
            "memory": {
                "requested": _rounded(self.memory_requested.sum()),
                "slack": _ratio(self.memory_slack, self.memory_requested),
                "breach_days": int(self.breach_days.sum()),
                "judged_days": int(self.memory_days.sum()),
            },
            "changes_per_workload_day": _ratio(self.changes, self.covered_days),
            "coverage": _ratio(self.covered_days, self.judged_days),
        }


def judge(usage: Usage, plan: Plan, first_day: int) -> Verdict:
    """Hold a plan against what was used from `first_day` of the recording on."""
    count, days = len(usage.names), usage.days
    flat = usage.group
    asked = plan.cpu.reshape(-1)[flat]
    judged = (usage.day >= first_day) & np.isfinite(asked)
    hours = usage.step_s / 3600
    over = np.where(judged, usage.cpu - asked, 0.0)

    def total(values: Floats) -> Floats:
        return _sums(usage, np.where(judged, values, 0.0))

    memory_asked = plan.memory.reshape(-1)[flat]
    with_memory = (usage.day >= first_day) & np.isfinite(memory_asked) & np.isfinite(usage.memory)
    gib_hours = np.where(with_memory, hours / 2**30, 0.0)
    peaks = usage.daily_max(usage.memory)
    judged_memory = np.isfinite(peaks) & np.isfinite(plan.memory_limit) & (np.arange(days) >= first_day)
    present = (np.diff(usage.bounds).reshape(count, days) > 0) & (np.arange(days) >= first_day)
    covered = present & np.isfinite(plan.cpu)
    return Verdict(
        cpu_requested=total(np.nan_to_num(asked) * hours / 1000),
        cpu_used=total(usage.cpu * hours / 1000),
        cpu_slack=total(np.maximum(-over, 0.0) * hours / 1000),
        cpu_unmet=total(np.maximum(over, 0.0) * hours / 1000),
        samples=total(np.ones_like(hours)),
        overruns=total((over > 0).astype(np.float64)),
        memory_requested=_sums(usage, np.nan_to_num(memory_asked) * gib_hours),
        memory_slack=_sums(
            usage, np.maximum(np.nan_to_num(memory_asked) - np.nan_to_num(usage.memory), 0.0) * gib_hours
        ),
        memory_days=judged_memory.sum(axis=1).astype(np.float64),
        breach_days=(judged_memory & (np.nan_to_num(peaks) > plan.memory_limit)).sum(axis=1).astype(np.float64),
        changes=_changes(plan, covered),
        covered_days=covered.sum(axis=1).astype(np.float64),
        judged_days=present.sum(axis=1).astype(np.float64),
    )


def _sums(usage: Usage, values: Floats) -> Floats:
    return np.bincount(usage.container, values, len(usage.names)).astype(np.float64)


def _changes(plan: Plan, covered: NDArray[np.bool_]) -> Floats:
    """Days on which a container's CPU or memory request differs from that of its previous covered day."""
    changes = np.zeros(len(plan.cpu))
    last_cpu, last_memory = plan.cpu[:, 0].copy(), plan.memory[:, 0].copy()
    for day in range(plan.cpu.shape[1]):
        cpu, memory, now = plan.cpu[:, day], plan.memory[:, day], covered[:, day]
        changes += now & (
            (np.isfinite(last_cpu) & (cpu != last_cpu)) | (np.isfinite(last_memory) & (memory != last_memory))
        )
        last_cpu, last_memory = np.where(now, cpu, last_cpu), np.where(now, memory, last_memory)
    return changes


def _ratio(part: Floats, whole: Floats) -> float | None:
    total = float(whole.sum())
    return _rounded(float(part.sum()) / total) if total > 0 else None


def _rounded(value: float) -> float:
    """Six significant digits: more would be noise."""
    return float(f"{float(value):.6g}")
